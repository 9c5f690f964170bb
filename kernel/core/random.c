/*
 * The kernel's random numbers. Small requests are served under the lock; large ones from a child
 * generator, so that nobody waits for a megabyte of ChaCha with interrupts off.
 *
 * Single words (exec takes half a dozen) come from a batch, two blocks of output; a word is
 * forgotten as it is given out, and all that are left when something new is mixed in.
 */
#include "core/random.h"

#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/spinlock.h"
#include "lib/random.h"

#define SMALL 64
#define SEED_WORDS 8
#define BATCH_WORDS 12		/* with the next key, two blocks */

static struct spinlock random_lock = SPINLOCK_INIT(RANK_TRACE);
static struct random generator GUARDED_BY(&random_lock);
static uint64_t batch[BATCH_WORDS] GUARDED_BY(&random_lock);
static unsigned int batch_left GUARDED_BY(&random_lock);

void random_add(const void *bytes, size_t n)
{
	irq_state_t state = spin_lock_irqsave(&random_lock);

	random_reseed(&generator, bytes, n);
	batch_left = 0;
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
	irq_state_t state = spin_lock_irqsave(&random_lock);
	uint64_t v;

	if (batch_left == 0) {
		random_fill(&generator, batch, sizeof(batch));
		batch_left = BATCH_WORDS;
	}
	v = batch[--batch_left];
	batch[batch_left] = 0;
	spin_unlock_irqrestore(&random_lock, state);
	return v;
}
