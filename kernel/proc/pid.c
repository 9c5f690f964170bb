/*
 * The id table: one number space for threads, processes, groups and sessions.
 *
 * A number stays taken while anything uses it, so a process group outlives its leader without its
 * number being given to a new process. The nodes of the map come from a small reserve that is
 * filled before the tree lock is taken: nothing is allocated under the lock.
 */
#include "proc/proc_internal.h"

#include "abi/errno.h"
#include "core/fail_point.h"
#include "lib/idmap.h"
#include "mem/slab.h"

#define PID_MAX 32767
#define NODE_RESERVE 4			/* an allocation takes at most one a level: three */

struct spinlock process_tree_lock = SPINLOCK_INIT(RANK_PROCESS_TREE);

static struct idmap ids;
static struct idmap_node *reserve[NODE_RESERVE];
static uint32_t reserve_count;

static struct idmap_node *node_take(void *context)
{
	return reserve_count > 0 ? reserve[--reserve_count] : NULL;
}

static void node_release(void *context, struct idmap_node *node)
{
	if (reserve_count < NODE_RESERVE)
		reserve[reserve_count++] = node;
	else
		kfree(node);
}

void pid_init(void)
{
	struct idmap_memory memory = { node_take, node_release, NULL };

	idmap_init(&ids, 1, PID_MAX, memory);
}

/* Fills the reserve. Another processor may use it up at once: then the allocation says ENOMEM only
 * after a few rounds. */
static bool reserve_fill(void)
{
	for (;;) {
		struct idmap_node *node;
		irq_state_t state = spin_lock_irqsave(&process_tree_lock);
		bool full = reserve_count >= NODE_RESERVE;

		spin_unlock_irqrestore(&process_tree_lock, state);
		if (full)
			return true;
		node = fail_point("pid_node") ? NULL : kmalloc(sizeof(*node));
		if (node == NULL)
			return false;
		state = spin_lock_irqsave(&process_tree_lock);
		node_release(NULL, node);
		spin_unlock_irqrestore(&process_tree_lock, state);
	}
}

static int allocate_once(struct pid_entry *entry, uint32_t wanted)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	int error;

	if (wanted != 0) {
		error = idmap_alloc_at(&ids, wanted, entry);
		entry->id = wanted;
	} else {
		error = idmap_alloc_cyclic(&ids, entry, &entry->id);
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	return error;
}

int pid_allocate(uint32_t wanted, struct pid_entry **out)
{
	struct pid_entry *entry = kzalloc(sizeof(*entry));
	int error = -ENOMEM;

	if (entry == NULL)
		return -ENOMEM;
	for (int round = 0; error == -ENOMEM && round < 8; round++) {
		if (!reserve_fill())
			break;
		error = allocate_once(entry, wanted);
	}
	if (error != 0) {
		kfree(entry);
		return error;
	}
	*out = entry;
	return 0;
}

struct pid_entry *pid_find_locked(uint32_t id)
{
	assert_held(&process_tree_lock);
	return id == 0 || id > PID_MAX ? NULL : idmap_find(&ids, id);
}

void pid_release_locked(struct pid_entry *entry)
{
	assert_held(&process_tree_lock);
	if (entry->task != NULL || entry->group != NULL || entry->session != NULL)
		return;
	idmap_free(&ids, entry->id);
	kfree(entry);
}

void pid_cancel(struct pid_entry *entry)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);

	pid_release_locked(entry);
	spin_unlock_irqrestore(&process_tree_lock, state);
}

struct process *process_lookup(uint32_t pid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct pid_entry *entry = pid_find_locked(pid);
	struct process *p = NULL;

	if (entry != NULL && entry->task != NULL && entry->task->process->pid == pid) {
		p = entry->task->process;
		process_get(p);
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	return p;
}

struct task *task_lookup(uint32_t tid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct pid_entry *entry = pid_find_locked(tid);
	struct task *task = entry != NULL ? entry->task : NULL;

	if (task != NULL)
		thread_get(&task->thread);
	spin_unlock_irqrestore(&process_tree_lock, state);
	return task;
}

struct process *process_next(uint32_t pid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process *p = NULL;
	struct pid_entry *entry;
	uint32_t id = pid;

	while ((entry = idmap_next(&ids, &id)) != NULL) {
		if (entry->task != NULL && entry->task->process->pid == id) {
			p = entry->task->process;
			process_get(p);
			break;
		}
		id++;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	return p;
}

uint32_t pid_last(void)
{
	return read_once(ids.cursor);
}

uint32_t pid_count(void)
{
	return read_once(ids.count);
}
