/*
 * The flight recorder's rings. See core/trace.h.
 */
#include "core/trace.h"

#include "core/clock.h"
#include "core/percpu.h"

struct trace_ring {
	struct trace_record *records;	/* [I] NULL: this CPU records nothing */
	uint64_t mask;			/* [I] */
	uint64_t written;		/* [c] records ever */
};

bool trace_on;
static PERCPU(struct trace_ring, rings);

static const char *const names[TRACE_COUNT] = {
#define TRACE_EVENT(id, name, a, b) name,
#include "core/trace_events.def"
#undef TRACE_EVENT
};

void trace_record_event(enum trace_id id, uint64_t a, uint64_t b)
{
	irq_state_t state = arch_irq_save();
	struct trace_ring *ring = this_cpu(rings);

	if (ring->records != NULL) {
		struct trace_record *r = &ring->records[ring->written & ring->mask];

		*r = (struct trace_record){ clock_ns(), id, cpu_id(), a, b };
		ring->written++;
	}
	arch_irq_restore(state);
}

void trace_set_ring(uint32_t cpu, struct trace_record *records, uint64_t count)
{
	struct trace_ring *ring = cpu_of(rings, cpu);

	ring->records = records;
	ring->mask = count - 1;
	ring->written = 0;
}

void trace_start(void) { trace_on = true; }
void trace_stop(void) { trace_on = false; }

bool trace_read(uint32_t cpu, uint64_t index, struct trace_record *out)
{
	const struct trace_ring *ring = cpu_of(rings, cpu);
	uint64_t size = ring->mask + 1;
	uint64_t oldest = ring->written > size ? ring->written - size : 0;

	if (ring->records == NULL || oldest + index >= ring->written)
		return false;
	*out = ring->records[(oldest + index) & ring->mask];
	return true;
}

const char *trace_name(uint32_t id) { return id < TRACE_COUNT ? names[id] : "unknown"; }
