/*
 * Time: the architecture's counter in nanoseconds since boot; wall time adds one offset, which the
 * vDSO's data page holds too.
 */
#include "core/clock.h"

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "lib/number.h"
#include "lib/string.h"

atomic64_t clock_wall_offset_ns, clock_noted_ns;

uint64_t clock_ns(void) { return arch_clock_ns(); }

uint64_t clock_wall_ns(void) { return clock_ns() + atomic64_load(&clock_wall_offset_ns); }

static void set_wall_offset(uint64_t offset)
{
	atomic64_store(&clock_wall_offset_ns, offset);
	arch_vdso_set_wall_offset(offset);
}

int clock_set_wall_ns(uint64_t now_ns)
{
	uint64_t offset;

	if (__builtin_sub_overflow(now_ns, clock_ns(), &offset))
		return -EINVAL;
	set_wall_offset(offset);
	return 0;
}

/* Takes the digits behind the point as nanoseconds, up to nine, the rest is ignored; false for
 * anything else. */
static bool fraction_ns(const char *digits, uint64_t *ns)
{
	uint64_t unit = NSEC_PER_SEC / 10;

	for (*ns = 0; *digits >= '0' && *digits <= '9'; digits++, unit /= 10)
		*ns += (uint64_t)(*digits - '0') * unit;
	return *digits == '\0';
}

/* epoch=SECONDS[.FRACTION]: who starts the machine tells, which is finer than the clock chip's
 * seconds and cheaper than its dozen slow port accesses. */
static bool epoch_given(uint64_t *ns)
{
	const char *value = cmdline_get("epoch");
	const char *point;
	uint64_t seconds, fraction = 0;

	if (value == NULL)
		return false;
	point = strchr(value, '.');
	if (number_parse(value, point != NULL ? (size_t)(point - value) : strlen(value), 10,
			 &seconds) != 0 || seconds > INT64_MAX / NSEC_PER_SEC - 1 ||
	    (point != NULL && !fraction_ns(point + 1, &fraction))) {
		cmdline_reject("epoch", value, "seconds since 1970, with a fraction or without");
		return false;
	}
	*ns = seconds * NSEC_PER_SEC + fraction;
	return true;
}

void clock_init(void)
{
	uint64_t boot_ns;

	if (!epoch_given(&boot_ns))
		boot_ns = arch_wall_seconds_at_boot() * NSEC_PER_SEC;
	set_wall_offset(boot_ns);
}
