/*
 * All of mem/, sched/ and vm/ on explored virtual processors: memory that each schedule starts from
 * anew, stacks with room for the sanitiser, and faults that go to the thread's space.
 */
#include "vm_explore_world.h"

#include "arch/arch_up.h"
#include "core/cmdline.h"
#include "core/user_copy.h"
#include "mem/kstack.h"
#include "mem/page.h"
#include "vm/space.h"

#define MEMORY_BYTES (6UL << 20)
#define STACKS_KEPT 32

static char *kept[STACKS_KEPT];
static unsigned int kept_count;

void *kstack_allocate(void)
{
	char *top = kept_count != 0 ? kept[--kept_count] : host_stack_allocate();

	return top == NULL ? NULL : top - KSTACK_SIZE;
}

void kstack_free(void *stack)
{
	if (kept_count < STACKS_KEPT)
		kept[kept_count++] = (char *)stack + KSTACK_SIZE;
}

void kstack_init(void) { }
size_t kstack_reap(void) { return 0; }
const char *cmdline_get(const char *key) { return NULL; }
int cmdline_choice(const char *key, const char *choices) { return -1; }
void cmdline_reject(const char *key, const char *value, const char *expected) { }

bool page_fault_enter(struct trap_frame *frame, uint64_t address, enum fault_access access,
		      bool from_user, uint64_t error_code)
{
	int si_code;

	return thread_current()->space != NULL &&
	       space_fault(thread_current()->space, address, access, &si_code) == 0;
}

static void expect_alive(const void *at, bool is_table)
{
	const struct page *page = virt_to_page(at);

	if (page_count(page) == 0 || (is_table && page->kind != PAGE_TABLE))
		host_fail("a processor reaches a %s that was given back",
			  is_table ? "table" : "page");
}

void world_boot_once(uint32_t cpus)
{
	static bool booted;

	if (booted)
		return;
	booted = true;
	host_memory_init(MEMORY_BYTES);
	mem_init();
	boot_once(cpus);
	space_init();
	host_reach_hook = expect_alive;
	/* So that no schedule needs a new one, which the snapshot does not know. */
	for (unsigned int i = 0; i < STACKS_KEPT / 2; i++)
		kept[kept_count++] = host_stack_allocate();
	explore_memory = phys_to_virt(phys(0));
	explore_memory_bytes = MEMORY_BYTES + (1UL << 20);
}

uint32_t load(uint64_t address)
{
	uint32_t value;

	HOST_EXPECT(user_load32(user_addr(address), &value) == 0);
	return value;
}

void store(uint64_t address, uint32_t value)
{
	HOST_EXPECT(user_store32(user_addr(address), value) == 0);
}

uint32_t look(struct space *space, uint64_t address)
{
	uint32_t value;

	HOST_EXPECT(space_read(space, address, &value, sizeof(value)) == sizeof(value));
	return value;
}

static uint64_t used_before;

static uint64_t used_pages(void)
{
	struct page_stats s;

	page_stats_get(&s);
	return s.anon + s.table + s.cache;
}

void note_what_is_used(void)
{
	used_before = used_pages();
}

void check_nothing_left(void)
{
	HOST_EXPECT(used_pages() == used_before);
}
