/*
 * The orderly end.
 */
#include "core/shutdown.h"

#include "arch/arch_down.h"
#include "core/klog.h"
#include "core/spinlock.h"

static struct spinlock hooks_lock = SPINLOCK_INIT(RANK_TRACE);
static struct shutdown_hook *hooks GUARDED_BY(&hooks_lock);

void shutdown_register(struct shutdown_hook *hook)
{
	spin_lock(&hooks_lock);
	hook->next = hooks;
	hooks = hook;
	spin_unlock(&hooks_lock);
}

/* Each hook is taken off the list before it runs: two callers of reboot(2) share the work. */
static void hooks_run(void)
{
	for (;;) {
		struct shutdown_hook *hook;

		spin_lock(&hooks_lock);
		hook = hooks;
		if (hook != NULL)
			hooks = hook->next;
		spin_unlock(&hooks_lock);
		if (hook == NULL)
			return;
		hook->run();
	}
}

void shutdown_power_off(int status)
{
	hooks_run();
	klog_flush();
	arch_power_off(status);
}

void shutdown_reboot(void)
{
	hooks_run();
	klog_flush();
	arch_reboot();
}
