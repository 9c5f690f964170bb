/*
 * Failure on request: the Nth fail_point() that a thread passes is made to fail.
 *
 * The count belongs to the thread, which core does not know: the scheduler's layer above registers
 * where it is. Interrupt handlers never fail by this. Empty in a release build.
 */
#include "core/fail_point.h"

#ifdef TINE_DEBUG

#include "core/atomic.h"
#include "core/klog.h"
#include "core/percpu.h"

static uint64_t *(*count_of_current)(void);

void fail_point_set_counter(uint64_t *(*counter)(void))
{
	store_release(&count_of_current, counter);
}

bool fail_point(const char *name)
{
	uint64_t *count;

	if (load_acquire(&count_of_current) == NULL || cpu_self()->irq_depth != 0)
		return false;
	count = count_of_current();
	if (count == NULL || *count == 0 || --*count != 0)
		return false;
	log_info("fail point: %s", name);
	return true;
}

#endif
