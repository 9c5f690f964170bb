/*
 * /dev/explore: the explorer's hand (sched/explore.h) for its program. There only with the word
 * `explore` on the command line; root's alone.
 */
#include "dev/lab/explore_device.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "core/cmdline.h"
#include "core/ipi.h"
#include "core/user_copy.h"
#include "fs/devfs/devfs.h"
#include "lib/device_number.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "proc/task.h"
#include "sched/explore.h"
#include "vfs/chardev.h"

/* Of the range for local use (Documentation/admin-guide/devices.txt). */
#define EXPLORE_MAJOR 60

static void count_objects(void *arg, const struct slab_stats *stats)
{
	struct explore_counts *counts = arg;

	counts->objects += stats->live;
}

static void counts_take(struct explore_counts *counts)
{
	struct page_stats stats;

	*counts = (struct explore_counts){ .objects = 0 };
	slab_for_each(count_objects, counts);
	page_stats_get(&stats);
	counts->free_pages = stats.free;
}

static long arm(user_addr_t arg)
{
	struct explore_plan plan;

	if (copy_from_user(&plan, arg, sizeof(plan)) != 0)
		return -EFAULT;
	task_current()->sample_count = 0;
	explore_arm(&plan);
	return 0;
}

static long end(user_addr_t arg)
{
	struct explore_result result;

	explore_end(&result);
	return copy_to_user(arg, &result, sizeof(result));
}

static long counts_get(user_addr_t arg)
{
	struct explore_counts counts;

	counts_take(&counts);
	return copy_to_user(arg, &counts, sizeof(counts));
}

static long name_set(user_addr_t arg)
{
	char name[EXPLORE_NAME_BYTES];

	if (copy_from_user(name, arg, sizeof(name)) != 0)
		return -EFAULT;
	name[sizeof(name) - 1] = '\0';
	explore_set_name(name);
	return 0;
}

static long explore_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	switch (command) {
	case EXPLORE_ARM:
		return arm(user_addr(arg));
	case EXPLORE_END:
		return end(user_addr(arg));
	case EXPLORE_AWAIT:
		return explore_await();
	case EXPLORE_STEADY:
		task_current()->sample_count = 0;
		return 0;
	case EXPLORE_NAME:
		return name_set(user_addr(arg));
	case EXPLORE_DRAIN:
		(void)page_drain_caches();
		return 0;
	case EXPLORE_COUNTS:
		return counts_get(user_addr(arg));
	default:
		return -ENOTTY;
	}
}

static void end_here(void *arg)
{
	struct explore_result unused;

	explore_end(&unused);
}

/* What somebody who is gone left armed would keep a processor's timers for ever. */
static void explore_release(struct file *file)
{
	end_here(NULL);
	ipi_call_wait((cpu_mask_t)((2ULL << (cpu_count - 1)) - 1), end_here, NULL);
}

static const struct file_ops explore_ops = {
	.ioctl = explore_ioctl, .release = explore_release,
};

static struct chardev explore_chardev = {
	.name = "explore", .major = EXPLORE_MAJOR, .minor_count = 1, .ops = &explore_ops,
};

void explore_device_init(void)
{
	if (!cmdline_flag("explore"))
		return;
	explore_init();
	chardev_register(&explore_chardev);
	VERIFY(devfs_register("explore", S_IFCHR | 0600, device_make(EXPLORE_MAJOR, 0)) == 0);
}
