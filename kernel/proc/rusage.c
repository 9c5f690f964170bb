/*
 * Accounting. The scheduler knows how long each thread ran. How much of it was in the kernel is
 * estimated by samples (sched/stats.c); the sum of both is always the exact run time.
 */
#include "proc/rusage.h"

#include "lib/bits.h"
#include "lib/string.h"
#include "proc/proc_internal.h"

void task_times(struct task *task, uint64_t *user_ns, uint64_t *system_ns)
{
	uint64_t total = sched_thread_run_ns(&task->thread);
	uint64_t system = MIN(read_once(task->thread.system_ns), total);

	*system_ns = system;
	*user_ns = total - system;
}

/* A sample says that time taken for the program's was the kernel's: what was told stays. */
static void never_less_locked(struct process *p, uint64_t *user_ns, uint64_t *system_ns)
	REQUIRES(&p->lock)
{
	uint64_t total = MAX(*user_ns + *system_ns, p->told_user_ns + p->told_system_ns);

	*system_ns = CLAMP(*system_ns, p->told_system_ns, total - p->told_user_ns);
	*user_ns = total - *system_ns;
	p->told_user_ns = *user_ns;
	p->told_system_ns = *system_ns;
}

void process_times(struct process *p, uint64_t *user_ns, uint64_t *system_ns)
{
	irq_state_t state = spin_lock_irqsave(&p->lock);
	struct task *task;

	*user_ns = p->dead_user_ns;
	*system_ns = p->dead_system_ns;
	list_for_each(task, &p->tasks, process_node) {
		uint64_t user, system;

		if (task->accounted)
			continue;
		task_times(task, &user, &system);
		*user_ns += user;
		*system_ns += system;
	}
	never_less_locked(p, user_ns, system_ns);
	spin_unlock_irqrestore(&p->lock, state);
}

uint64_t process_run_ns(struct process *p)
{
	uint64_t user, system;

	process_times(p, &user, &system);
	return user + system;
}

void rusage_add_dead_locked(struct process *p, struct task *task)
{
	uint64_t user, system;

	task_times(task, &user, &system);
	p->dead_user_ns += user;
	p->dead_system_ns += system;
	p->dead_minor_faults += task->minor_faults;
	p->dead_major_faults += task->major_faults;
	p->dead_voluntary += task->thread.voluntary_switches;
	p->dead_involuntary += task->thread.involuntary_switches;
	p->dead_read_bytes += task->io_read_bytes;
	p->dead_write_bytes += task->io_write_bytes;
	task->accounted = true;
}

static struct abi_timeval timeval_of(uint64_t ns)
{
	return (struct abi_timeval){ (int64_t)(ns / NSEC_PER_SEC),
				     (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

static void fill_children_locked(struct process *p, struct abi_rusage *out)
{
	out->ru_utime = timeval_of(p->children_user_ns);
	out->ru_stime = timeval_of(p->children_system_ns);
	out->ru_maxrss = (int64_t)p->children_max_rss_kib;
	out->ru_minflt = (int64_t)p->children_minor_faults;
	out->ru_majflt = (int64_t)p->children_major_faults;
	out->ru_nvcsw = (int64_t)p->children_voluntary;
	out->ru_nivcsw = (int64_t)p->children_involuntary;
}

static void add_task(struct task *task, struct abi_rusage *out)
{
	out->ru_minflt += (int64_t)task->minor_faults;
	out->ru_majflt += (int64_t)task->major_faults;
	out->ru_nvcsw += (int64_t)task->thread.voluntary_switches;
	out->ru_nivcsw += (int64_t)task->thread.involuntary_switches;
	out->ru_inblock += (int64_t)(task->io_read_bytes / 512);
	out->ru_oublock += (int64_t)(task->io_write_bytes / 512);
}

static int64_t max_rss_kib(struct process *p)
{
	struct space *space = p == process_current() ? space_current() : NULL;
	uint64_t kib = p->max_rss_kib;

	if (space != NULL)
		kib = MAX(kib, MAX(space->peak_resident, space_resident_pages(space)) *
			       (PAGE_SIZE / 1024));
	return (int64_t)kib;
}

static void fill_self(struct process *p, struct abi_rusage *out)
{
	uint64_t user, system;
	struct task *task;
	irq_state_t state;

	process_times(p, &user, &system);
	out->ru_utime = timeval_of(user);
	out->ru_stime = timeval_of(system);
	out->ru_maxrss = max_rss_kib(p);
	state = spin_lock_irqsave(&p->lock);
	out->ru_minflt = (int64_t)p->dead_minor_faults;
	out->ru_majflt = (int64_t)p->dead_major_faults;
	out->ru_nvcsw = (int64_t)p->dead_voluntary;
	out->ru_nivcsw = (int64_t)p->dead_involuntary;
	out->ru_inblock = (int64_t)(p->dead_read_bytes / 512);
	out->ru_oublock = (int64_t)(p->dead_write_bytes / 512);
	list_for_each(task, &p->tasks, process_node) {
		if (!task->accounted)
			add_task(task, out);
	}
	spin_unlock_irqrestore(&p->lock, state);
}

void rusage_get(struct process *p, int who, struct abi_rusage *out)
{
	uint64_t user, system;
	irq_state_t state;

	memset(out, 0, sizeof(*out));
	if (who == RUSAGE_CHILDREN) {
		state = spin_lock_irqsave(&p->lock);
		fill_children_locked(p, out);
		spin_unlock_irqrestore(&p->lock, state);
	} else if (who == RUSAGE_THREAD) {
		task_times(task_current(), &user, &system);
		out->ru_utime = timeval_of(user);
		out->ru_stime = timeval_of(system);
		out->ru_maxrss = max_rss_kib(p);
		add_task(task_current(), out);
	} else {
		fill_self(p, out);
	}
}

void rusage_get_zombie(struct process *p, struct abi_rusage *out)
{
	memset(out, 0, sizeof(*out));
	out->ru_utime = timeval_of(p->dead_user_ns + p->children_user_ns);
	out->ru_stime = timeval_of(p->dead_system_ns + p->children_system_ns);
	out->ru_maxrss = (int64_t)MAX(p->max_rss_kib, p->children_max_rss_kib);
	out->ru_minflt = (int64_t)(p->dead_minor_faults + p->children_minor_faults);
	out->ru_majflt = (int64_t)(p->dead_major_faults + p->children_major_faults);
	out->ru_nvcsw = (int64_t)(p->dead_voluntary + p->children_voluntary);
	out->ru_nivcsw = (int64_t)(p->dead_involuntary + p->children_involuntary);
	out->ru_inblock = (int64_t)(p->dead_read_bytes / 512);
	out->ru_oublock = (int64_t)(p->dead_write_bytes / 512);
}

void rusage_add_child(struct process *parent, struct process *child)
{
	irq_state_t state = spin_lock_irqsave(&parent->lock);

	parent->children_user_ns += child->dead_user_ns + child->children_user_ns;
	parent->children_system_ns += child->dead_system_ns + child->children_system_ns;
	parent->children_minor_faults += child->dead_minor_faults + child->children_minor_faults;
	parent->children_major_faults += child->dead_major_faults + child->children_major_faults;
	parent->children_voluntary += child->dead_voluntary + child->children_voluntary;
	parent->children_involuntary += child->dead_involuntary + child->children_involuntary;
	parent->children_max_rss_kib = MAX(parent->children_max_rss_kib,
					   MAX(child->max_rss_kib, child->children_max_rss_kib));
	spin_unlock_irqrestore(&parent->lock, state);
}
