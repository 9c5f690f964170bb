/*
 * Out of memory: one process is named and ended, the one that frees most.
 *
 * Score: resident pages plus oom_score_adj thousandths of all memory; -1000 and PID 1 are exempt.
 * While a victim is on its way out no other one is chosen; everybody who needs a page waits a
 * little and tries again.
 */
#include "proc/oom.h"

#include "abi/wait.h"
#include "core/klog.h"
#include "mem/page.h"
#include "proc/proc_internal.h"

/* The first task that has its space still; NULL. */
static struct task *task_with_space_locked(struct process *p) REQUIRES(&p->lock)
{
	struct task *task;

	list_for_each(task, &p->tasks, process_node) {
		if (task->space_view != NULL)
			return task;
	}
	return NULL;
}

static int64_t score_of(struct process *p, uint64_t total_pages)
{
	irq_state_t state = spin_lock_irqsave(&p->lock);
	struct task *task = NULL;
	int64_t score = -1;

	if (p->oom_score_adj != -1000 && p->leader != NULL)
		task = task_with_space_locked(p);
	if (task != NULL)
		score = (int64_t)space_resident_pages(task->space_view) +
			(int64_t)p->oom_score_adj * (int64_t)(total_pages / 1000);
	spin_unlock_irqrestore(&p->lock, state);
	return task == NULL ? -1 : score < 1 ? 1 : score;
}

/* Counted; NULL when there is none. *dying: somebody was told to go and has memory still. */
static struct process *choose_victim(bool *dying)
{
	struct process *best = NULL, *p;
	struct page_stats stats;
	int64_t best_score = 0;
	uint32_t pid = 1;

	page_stats_get(&stats);
	*dying = false;
	while ((p = process_next(pid)) != NULL) {
		int64_t score = score_of(p, stats.total);
		bool ending;

		pid = p->pid + 1;
		ending = read_once(p->exiting) || read_once(p->oom_named);
		if (score >= 0 && ending)
			*dying = true;
		if (score > best_score && p->pid != 1 && !ending) {
			if (best != NULL)
				process_put(best);
			best = p;
			best_score = score;
		} else {
			process_put(p);
		}
	}
	return best;
}

/* Free pages enough to go on with: somebody gave some back, or a fail point said there are none. */
static bool memory_is_there(void)
{
	struct page_stats stats;

	page_stats_get(&stats);
	return stats.free > 256;
}

#define KIB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / 1024))

/* In Linux's words, which init looks for; what is resident counts as in /proc/PID/status. */
static void log_victim_locked(struct process *p, struct task *task) REQUIRES(&p->lock)
{
	log_error("Out of memory: Killed process %u (%s) total-vm:%llukB, anon-rss:%llukB, "
		  "file-rss:0kB, shmem-rss:0kB, UID:%u pgtables:0kB oom_score_adj:%d", p->pid,
		  task->thread.name, KIB(read_once(task->space_view->mapped_pages)),
		  KIB(space_resident_pages(task->space_view)), task->cred->uid, p->oom_score_adj);
}

/* Whether the caller is the first to tell it: processors run out of memory together. */
static bool name_victim(struct process *p)
{
	irq_state_t state = spin_lock_irqsave(&p->lock);
	struct task *task = task_with_space_locked(p);
	bool first = !p->oom_named && task != NULL;

	if (first) {
		p->oom_named = true;
		log_victim_locked(p, task);
	}
	spin_unlock_irqrestore(&p->lock, state);
	return first;
}

void oom_relieve(void)
{
	struct process *victim;
	bool dying;

	if (memory_is_there())
		return;
	victim = choose_victim(&dying);
	if (victim != NULL && !dying && name_victim(victim))
		(void)signal_send_process(victim, SIGKILL, NULL);
	if (victim != NULL)
		process_put(victim);
	else if (!dying)
		panic("out of memory, and no process is left to end");
	if (!read_once(thread_current()->pending_kill))
		(void)!sched_sleep_until(clock_ns() + 5 * NSEC_PER_MSEC, false);
}
