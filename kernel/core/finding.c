/*
 * The table of findings. Its lock is taken by try only: whoever reports while another does, or in a
 * handler that interrupted one, is not kept; the cause goes on and is reported again.
 */
#include "core/finding.h"

#include "core/clock.h"
#include "core/klog.h"
#include "core/spinlock.h"
#include "core/trace.h"
#include "lib/format.h"

#define KEPT 64

/* Types of evidence. */
enum { TYPE_number, TYPE_thread, TYPE_hex };

static const struct {
	const char *name;
	struct { uint8_t type; const char *name; } evidence[2];
} kinds[FINDING_KINDS] = {
#define FINDING(id, name, ta, a, tb, b) [FINDING_##id] = { #name, { { TYPE_##ta, #a },          \
								   { TYPE_##tb, #b } } },
#include "core/finding_kinds.def"
};

static atomic32_t busy;			/* 1: the table is being changed */
static struct finding table[KEPT];
static uint32_t used;			/* [a] entries that are whole */

const char *finding_name(uint32_t kind) { return kinds[kind].name; }

const char *finding_evidence(const struct finding *f, char *text, size_t size)
{
	size_t at = 0;

	for (unsigned int i = 0; i < 2; i++)
		at += format_stored(text + at, size - at, kinds[f->kind].evidence[i].type ==
				    TYPE_hex ? "%s%s=%#lx" : "%s%s=%lu", i == 0 ? "" : " ",
				    kinds[f->kind].evidence[i].name, f->evidence[i]);
	return text;
}

static struct finding *find(enum finding_kind kind, uint32_t thread, uint64_t pc)
{
	for (uint32_t i = 0; i < used; i++)
		if (table[i].kind == kind && table[i].thread == thread && table[i].pc == pc)
			return &table[i];
	return NULL;
}

/* The busy flag is held. What no longer fits is in the trace only. */
static void note(enum finding_kind kind, uint32_t thread, uint64_t pc, const char *cause,
		 uint64_t evidence0, uint64_t evidence1)
{
	struct finding *f = find(kind, thread, pc);
	uint64_t now = clock_ns();
	bool fresh = f == NULL;

	if (fresh && used == KEPT)
		return;
	if (fresh) {
		f = &table[used];
		*f = (struct finding){ .kind = (uint8_t)kind, .thread = thread, .pc = pc,
				       .first_ns = now };
	}
	f->cause = cause;
	f->evidence[0] = evidence0;
	f->evidence[1] = evidence1;
	f->last_ns = now;
	f->count++;
	if (fresh)
		store_release(&used, used + 1);
}

void finding_report(enum finding_kind kind, uint32_t thread, uint64_t pc, const char *cause,
		    uint64_t evidence0, uint64_t evidence1)
{
	irq_state_t irq = arch_irq_save();
	trace_finding(kind, thread, pc, evidence0, evidence1);
	if (!atomic32_compare_exchange(&busy, 0, 1)) {
		arch_irq_restore(irq);
		return;
	}
	note(kind, thread, pc, cause, evidence0, evidence1);
	atomic32_store_release(&busy, 0);
	arch_irq_restore(irq);
}

void finding_log_new(void)
{
	static uint32_t logged;

	for (; logged < load_acquire(&used); logged++) {
		const struct finding *f = &table[logged];

		char evidence[80];

		log_warn("headway: %s: %s; thread %u at %#lx, %s", finding_name(f->kind), f->cause,
			 f->thread, f->pc, finding_evidence(f, evidence, sizeof(evidence)));
	}
}

bool finding_get(uint32_t index, struct finding *out)
{
	if (index >= load_acquire(&used))
		return false;
	*out = table[index];
	return true;
}
