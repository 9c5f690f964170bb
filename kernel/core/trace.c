/*
 * The flight recorder's rings. See core/trace.h.
 */
#include "core/trace.h"

#include "arch/arch_down.h"
#include "core/assert.h"
#include "core/atomic.h"
#include "core/percpu.h"

struct trace_ring {
	uint64_t written;		/* [c] records ever; read by others */
	uint64_t mask;			/* [I] records held at most, less one */
	uint32_t thread;		/* [c] trace_set_thread() */
	bool present;			/* [I] false: this CPU records nothing */
	struct trace_record *const *chunks;	/* [I] */
};

uint32_t trace_on;
uint32_t trace_rare_mask = TRACE_RARE - 1;
static PERCPU(struct trace_ring, rings);

#define TRACE_EVENT1(id, name, ta, a, doc) { #name, 1, { #a } },
#define TRACE_EVENT2(id, name, ta, a, tb, b, doc) { #name, 2, { #a, #b } },
#define TRACE_EVENT3(id, name, ta, a, tb, b, tc, c, doc) { #name, 3, { #a, #b, #c } },
#define TRACE_EVENT4(id, name, ta, a, tb, b, tc, c, td, d, doc) { #name, 4, { #a, #b, #c, #d } },
#define TRACE_EVENT5(id, name, ta, a, tb, b, tc, c, td, d, te, e, doc)                            \
	{ #name, 5, { #a, #b, #c, #d, #e } },
#define TRACE_EVENT6(id, name, ta, a, tb, b, tc, c, td, d, te, e, tf, f, doc)                     \
	{ #name, 6, { #a, #b, #c, #d, #e, #f } },
static const struct trace_event_info events[TRACE_COUNT] = {
	{ "none", 0, { NULL } },
#include "core/trace_events.def"
};

static struct trace_record *place(const struct trace_ring *ring, uint64_t number)
{
	uint64_t index = number & ring->mask;

	return &ring->chunks[index / TRACE_CHUNK_RECORDS][index % TRACE_CHUNK_RECORDS];
}

void trace_record(enum trace_id id, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		  uint64_t f)
{
	irq_state_t state = arch_irq_save();
	struct trace_ring *ring = this_cpu(rings);

	if (likely(ring->present)) {
		uint64_t number = __atomic_fetch_add(&ring->written, 1, __ATOMIC_RELAXED);
		struct trace_record *r = place(ring, number);

		/* Invalid until it is whole: trace_read_back() may look at any time. */
		store_release(&r->id, TRACE_NONE);
		r->cycles = arch_cycles();
		r->thread = ring->thread;
		r->cpu = (uint16_t)cpu_id();
		r->args[0] = a;
		r->args[1] = b;
		r->args[2] = c;
		r->args[3] = d;
		r->args[4] = e;
		r->args[5] = f;
		store_release(&r->id, (uint16_t)id);
	}
	arch_irq_restore(state);
}

void trace_set_thread(uint32_t thread) { this_cpu(rings)->thread = thread; }

void trace_set_ring(uint32_t cpu, struct trace_record *const *chunks, uint32_t count)
{
	struct trace_ring *ring = cpu_of(rings, cpu);

	ASSERT(count != 0 && count <= TRACE_CHUNKS_MAX && (count & (count - 1)) == 0);
	ring->chunks = chunks;
	ring->mask = (uint64_t)count * TRACE_CHUNK_RECORDS - 1;
	store_release(&ring->present, true);
}

bool trace_has_rings(void) { return cpu_of(rings, 0)->present; }

void trace_start(void)
{
	write_once(trace_on, 1);
	write_once(trace_rare_mask, 0);
}

void trace_off(void)
{
	write_once(trace_on, 0);
	write_once(trace_rare_mask, TRACE_RARE - 1);
}

static void nothing(void *arg) { }

void trace_stop(void)
{
	trace_off();
	full_barrier();
	/* Records are written with interrupts off: who answers is not in the middle of one. */
	ipi_call_wait((cpu_mask_t)((2ULL << (cpu_count - 1)) - 1), nothing, NULL);
}

uint64_t trace_held(uint32_t cpu, uint64_t *lost)
{
	const struct trace_ring *ring = cpu_of(rings, cpu);
	uint64_t written = read_once(ring->written), size = ring->mask + 1;

	if (!ring->present) {
		*lost = 0;
		return 0;
	}
	*lost = written > size ? written - size : 0;
	return written - *lost;
}

const struct trace_record *trace_at(uint32_t cpu, uint64_t index)
{
	uint64_t lost;

	(void)trace_held(cpu, &lost);
	return place(cpu_of(rings, cpu), lost + index);
}

bool trace_read_back(uint32_t cpu, uint64_t back, struct trace_record *out)
{
	const struct trace_ring *ring = cpu_of(rings, cpu);
	uint64_t written = read_once(ring->written), number;
	const struct trace_record *r;

	if (!ring->present || back >= written || back > ring->mask)
		return false;
	number = written - 1 - back;
	r = place(ring, number);
	if (load_acquire(&r->id) == TRACE_NONE)
		return false;
	*out = *r;
	full_barrier();
	/* Not begun anew meanwhile: the place is taken before it is written. */
	return out->id != TRACE_NONE && read_once(ring->written) - number <= ring->mask + 1;
}

const struct trace_event_info *trace_event_find(uint32_t id)
{
	return id > TRACE_NONE && id < TRACE_COUNT ? &events[id] : NULL;
}

/* The processor whose next record, going back, is the newest; CPU_MAX: there is none. */
static uint32_t newest(const uint64_t back[], struct trace_record *out)
{
	struct trace_record r;
	uint32_t best = CPU_MAX;

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		if (trace_read_back(cpu, back[cpu], &r) &&
		    (best == CPU_MAX || r.cycles > out->cycles)) {
			*out = r;
			best = cpu;
		}
	}
	return best;
}

void trace_for_each_last(uint32_t count,
			 void (*put)(void *arg, const struct trace_record *record), void *arg)
{
	uint64_t back[CPU_MAX] = { 0 };
	struct trace_record r;
	uint32_t cpu;

	/* Back in time first, to find where each processor's share begins; then forward. */
	for (uint32_t found = 0; found < count; found++) {
		cpu = newest(back, &r);
		if (cpu == CPU_MAX)
			break;
		back[cpu]++;
	}
	for (;;) {
		uint64_t oldest = UINT64_MAX;
		struct trace_record candidate;

		cpu = CPU_MAX;
		for (uint32_t i = 0; i < cpu_count; i++) {
			if (back[i] == 0 || !trace_read_back(i, back[i] - 1, &candidate)) {
				back[i] = back[i] != 0 ? back[i] - 1 : 0;
				continue;
			}
			if (candidate.cycles < oldest) {
				oldest = candidate.cycles;
				r = candidate;
				cpu = i;
			}
		}
		if (cpu == CPU_MAX)
			break;
		back[cpu]--;
		put(arg, &r);
	}
}
