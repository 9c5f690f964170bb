/*
 * The kernel's random numbers. Small requests are served under the lock; large ones from a child
 * generator, so that nobody waits for a megabyte of ChaCha with interrupts off.
 */
#include "core/random.h"

#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/spinlock.h"
#include "lib/random.h"

#define SMALL 64
#define SEED_WORDS 8

static struct spinlock random_lock = SPINLOCK_INIT(RANK_TRACE);
static struct random generator GUARDED_BY(&random_lock);

void random_add(const void *bytes, size_t n)
{
	irq_state_t state = spin_lock_irqsave(&random_lock);

	random_reseed(&generator, bytes, n);
	spin_unlock_irqrestore(&random_lock, state);
}

void random_start(void) NO_LOCK_ANALYSIS
{
	uint64_t seed[SEED_WORDS];

	random_init(&generator);
	for (unsigned int i = 0; i < SEED_WORDS - 1; i++)
		seed[i] = arch_random_seed();
	seed[SEED_WORDS - 1] = clock_wall_ns();
	random_add(seed, sizeof(seed));
}

void random_bytes(void *to, size_t n)
{
	irq_state_t state = spin_lock_irqsave(&random_lock);
	struct random child;

	if (n <= SMALL) {
		random_fill(&generator, to, n);
		spin_unlock_irqrestore(&random_lock, state);
		return;
	}
	random_fork(&generator, &child);
	spin_unlock_irqrestore(&random_lock, state);
	random_fill(&child, to, n);
	random_wipe(&child);
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
