/*
 * Stacks: the switch between them, and threads planted on new ones. The sanitiser is told of
 * each switch, else it takes the frames of one stack for rubbish of another.
 */
#include <sys/mman.h>

#include "arch/arch_up.h"
#include "arch/host/host_internal.h"

void host_switch_stack(uint64_t *save, uint64_t to);
__asm__(".text\n"
	".type host_switch_stack, @function\n"
	"host_switch_stack:\n"
	"	pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
	"	ret\n"
	".size host_switch_stack, .-host_switch_stack\n");

#ifdef __SANITIZE_ADDRESS__
void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const volatile void *start, size_t size);
#else
static void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size) { }
static void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size) { }
static void __asan_unpoison_memory_region(const volatile void *start, size_t size) { }
#endif

#define STACK_BYTES (16 * 1024UL)

static uint64_t main_stack_pointer;
static const void *main_bottom;
static size_t main_bytes;

void *host_stack_allocate(void)
{
	char *stack = mmap(NULL, HOST_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return stack == MAP_FAILED ? NULL : stack + HOST_STACK_BYTES;
}

uint64_t host_plant(void *stack_top, void (*start)(void))
{
	uint64_t *sp = (uint64_t *)((uint64_t)stack_top & ~15UL);

	*--sp = 0;			/* start() never returns */
	*--sp = (uint64_t)start;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	return (uint64_t)sp;
}

void host_yield(enum host_state state)
{
	struct host_processor *p = &host_processors[cpu_id()];
	void *fake;

	p->state = state;
	__sanitizer_start_switch_fiber(&fake, main_bottom, main_bytes);
	host_switch_stack(&p->stack_pointer, main_stack_pointer);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

void host_resume(uint32_t cpu)
{
	struct host_processor *p = &host_processors[cpu];
	void *fake;

	host_cpu = &cpus[cpu];
	p->state = HOST_READY;
	__sanitizer_start_switch_fiber(&fake, p->stack_top - STACK_BYTES, STACK_BYTES);
	host_switch_stack(&main_stack_pointer, p->stack_pointer);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

/* Every planted stack begins with this: the first entry of a coroutine was a switch, too. */
void host_entered(void)
{
	const void *bottom;
	size_t bytes;

	__sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
	if (main_bottom == NULL) {
		main_bottom = bottom;
		main_bytes = bytes;
	}
}

/* --- arch_down.h ----------------------------------------------------------------------------- */

/* What a planted thread finds just below its stack's top. */
struct planted {
	void (*entry)(void *arg);
	void *arg;
	bool (*user_start)(struct trap_frame *frame);
	struct trap_frame frame;
};

static struct planted *planted_at(void *stack_top)
{
	return (struct planted *)(((uint64_t)stack_top - sizeof(struct planted)) & ~63UL);
}

/* gs_base is the user's; a host thread has none, so it remembers the stack's top, which is the
 * processor's stack_top while the thread runs. */
static struct planted *thread_plant(struct arch_thread *at, void *stack_top, void (*start)(void))
{
	__asan_unpoison_memory_region((char *)stack_top - STACK_BYTES, STACK_BYTES);
	at->gs_base = (uint64_t)stack_top;
	at->stack_pointer = host_plant(planted_at(stack_top), start);
	return planted_at(stack_top);
}

static struct planted *planted_current(void)
{
	return planted_at((void *)host_processors[cpu_id()].stack_top);
}

static void kernel_thread_start(void)
{
	struct planted *p;

	host_entered();
	thread_first_switch_done();
	arch_irq_enable();
	p = planted_current();
	p->entry(p->arg);
	host_fail("a kernel thread's entry returned");
}

static void user_thread_start(void)
{
	host_entered();
	(void)planted_current()->user_start(&planted_current()->frame);
	host_fail("the host has no user mode: thread_first_return() came back");
}

void arch_thread_prepare_kernel(struct arch_thread *at, void *stack_top, void (*entry)(void *arg),
				void *arg)
{
	struct planted *p = thread_plant(at, stack_top, kernel_thread_start);

	p->entry = entry;
	p->arg = arg;
}

void host_plant_user(struct arch_thread *at, void *stack_top, const struct trap_frame *frame,
		     bool (*start)(struct trap_frame *frame))
{
	struct planted *p = thread_plant(at, stack_top, user_thread_start);

	p->user_start = start;
	p->frame = *frame;
}

void arch_context_switch(struct arch_thread *prev, struct arch_thread *next)
{
	struct host_processor *p = &host_processors[cpu_id()];
	void *fake;

	p->stack_top = next->gs_base != 0 ? (const char *)next->gs_base : p->idle_top;
	__sanitizer_start_switch_fiber(&fake, p->stack_top - STACK_BYTES, STACK_BYTES);
	host_switch_stack(&prev->stack_pointer, next->stack_pointer);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

int arch_thread_init_user(struct arch_thread *at, bool inherit) { return 0; }
void arch_thread_fini(struct arch_thread *at) { }
void arch_thread_reset_user(struct arch_thread *at) { at->fs_base = 0; }
void arch_prepare_user(void) { }
size_t arch_fpu_bytes(void) { return 0; }
void arch_set_kernel_stack(void *stack_top) { cpu_self()->kernel_stack_top = (uint64_t)stack_top; }
struct trap_frame *arch_user_frame(void *stack_top) { return &planted_at(stack_top)->frame; }
