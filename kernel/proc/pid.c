/*
 * The id table: one number space for threads, processes, groups and sessions.
 *
 * A number stays taken while anything uses it, so a process group outlives its leader without its
 * number being given to a new process. Nothing is allocated under the tree lock: an allocation that
 * lacks nodes for the map (one in 64 does) lets go of it, gets them and tries again.
 */
#include "proc/proc_internal.h"

#include "abi/errno.h"
#include "core/fail_point.h"
#include "lib/idmap.h"
#include "mem/slab.h"

#define PID_MAX 32767
#define NODES_MAX 3			/* an allocation takes at most one a level */

struct node_pool {
	struct idmap_node *node[NODES_MAX];
	uint32_t count;
};

struct spinlock process_tree_lock = SPINLOCK_INIT(RANK_PROCESS_TREE);

static struct idmap ids;
static struct node_pool *pool;		/* process_tree_lock: of the allocation under way */

static struct idmap_node *node_take(void *context)
{
	return pool->count > 0 ? pool->node[--pool->count] : NULL;
}

static void node_release(void *context, struct idmap_node *node)
{
	kfree(node);
}

void pid_init(void)
{
	struct idmap_memory memory = { node_take, node_release, NULL };

	idmap_init(&ids, 1, PID_MAX, memory);
}

static bool pool_fill(struct node_pool *own)
{
	while (own->count < NODES_MAX) {
		struct idmap_node *node = fail_point("pid_node") ? NULL : kmalloc(sizeof(*node));

		if (node == NULL)
			return false;
		own->node[own->count++] = node;
	}
	return true;
}

static int allocate_once(struct pid_entry *entry, uint32_t wanted, struct node_pool *own)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	int error;

	pool = own;
	if (wanted != 0) {
		error = idmap_alloc_at(&ids, wanted, entry);
		entry->id = wanted;
	} else {
		error = idmap_alloc_cyclic(&ids, entry, &entry->id);
	}
	pool = NULL;
	spin_unlock_irqrestore(&process_tree_lock, state);
	return error;
}

int pid_allocate(uint32_t wanted, struct pid_entry **out)
{
	struct pid_entry *entry = kzalloc(sizeof(*entry));
	struct node_pool own = { .count = 0 };
	int error;

	if (entry == NULL)
		return -ENOMEM;
	error = allocate_once(entry, wanted, &own);
	if (error == -ENOMEM && pool_fill(&own))
		error = allocate_once(entry, wanted, &own);
	while (own.count > 0)
		kfree(own.node[--own.count]);
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

static bool is_blocked(const struct thread *t)
{
	return read_once(t->state) == THREAD_SLEEPING && t->wait_mode == WAIT_UNINTERRUPTIBLE;
}

void task_counts_get(struct task_counts *out)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct pid_entry *entry;

	*out = (struct task_counts){ .forks = task_forks, .last_id = ids.cursor - 1 };
	for (uint32_t id = 0; (entry = idmap_next(&ids, &id)) != NULL; id++) {
		if (entry->task == NULL)
			continue;
		out->tasks++;
		out->blocked += is_blocked(&entry->task->thread);
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
}

uint32_t pid_count(void)
{
	return read_once(ids.count);
}
