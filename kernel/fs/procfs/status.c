/*
 * /proc/PID/stat, statm, status (proc(5)).
 */
#include "abi/errno.h"
#include "fs/procfs/procfs.h"
#include "lib/bits.h"
#include "proc/cred_change.h"
#include "proc/job.h"
#include "proc/rusage.h"
#include "proc/signal.h"
#include "proc/task_access.h"
#include "vm/object.h"

#define TICKS_PER_SEC 100
#define TICK_NS (1000000000ULL / TICKS_PER_SEC)

/* What both files tell, taken under the locks it needs. */
struct snapshot {
	char state;
	uint32_t ppid, pgid, sid, tracer, threads;
	uint64_t tty;
	int64_t foreground;			/* its group; -1 without a terminal */
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t user_ns, system_ns, children_user_ns, children_system_ns;
	uint64_t mapped, resident, data, stack, locked, peak;
	uint64_t text, executable, file, shmem, tables;	/* with its areas only */
	uint64_t start_code, end_code, start_stack, start_data, end_data, brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	struct cred *cred;
	uint32_t umask;
};

static char state_of(struct process *p, struct task *t)
{
	if (p->state == PROCESS_ZOMBIE)
		return 'Z';
	if (t->thread.state == THREAD_DEAD)
		return 'X';
	/* Also one that is still on its way to sleep: the parent has been told already. */
	if (read_once(p->stopped) && !read_once(t->exiting))
		return 'T';
	if (t->thread.state == THREAD_SLEEPING)
		return t->thread.wait_mode == WAIT_UNINTERRUPTIBLE ? 'D' : 'S';
	return 'R';
}

static void take_signals(struct snapshot *s, struct process *p, struct task *t)
{
	irq_state_t state = signal_lock(p);

	s->pending = t->pending.mask;
	s->shared_pending = p->shared_pending.mask;
	s->blocked = t->blocked;
	for (int i = 0; i < SIGNAL_COUNT; i++) {
		uint64_t handler = signal_action_locked(p->sighand, i + 1)->handler;

		if (handler == (uint64_t)SIG_IGN)
			s->ignored |= 1UL << i;
		else if (handler != (uint64_t)SIG_DFL)
			s->caught |= 1UL << i;
	}
	s->threads = p->task_count;
	s->children_user_ns = p->children_user_ns;
	s->children_system_ns = p->children_system_ns;
	signal_unlock(p, state);
}

/* As Linux has it: tmpfs's pages and shared anonymous ones are apart from files'. */
static void take_areas(struct snapshot *s, struct space *space)
{
	struct area a;

	for (uint64_t at = 0; space_find_area(space, at, &a); at = a.end) {
		struct space_usage u = { 0 };

		if ((a.flags & (AREA_EXEC | AREA_WRITE | AREA_GROWSDOWN)) == AREA_EXEC)
			s->executable += (a.end - a.start) / PAGE_SIZE;
		if (a.object == NULL)
			continue;
		space_usage(space, a.start, a.end, &u);
		*(a.object->ops->read_page != NULL ? &s->file : &s->shmem) += u.resident -
									      u.anonymous;
	}
	s->tables = space_table_pages(space);
	s->text = (page_round_up(space->code_end) - (space->code_start & PAGE_MASK)) / PAGE_SIZE;
	s->text = MIN(s->text, s->executable);
}

/* The areas cost a walk, which /proc/PID/stat does without. */
static void take_space(struct snapshot *s, struct task *t, bool areas)
{
	struct space *space = task_get_space(t);

	if (space == NULL)
		return;
	rwlock_read_lock(&space->lock);
	s->mapped = space->mapped_pages;
	s->resident = space_resident_pages(space);
	s->data = space->data_pages;
	s->stack = space->stack_pages;
	s->locked = space->locked_pages;
	s->peak = space->peak_resident > s->resident ? space->peak_resident : s->resident;
	s->start_code = space->code_start;
	s->end_code = space->code_end;
	s->start_stack = space->stack_top;
	s->start_data = space->data_start;
	s->end_data = space->data_end;
	s->brk = space->brk_start;
	s->arg_start = space->arg_start;
	s->arg_end = space->arg_end;
	s->env_start = space->env_start;
	s->env_end = space->env_end;
	if (areas)
		take_areas(s, space);
	rwlock_read_unlock(&space->lock);
	space_put(space);
}

static void take_tree(struct snapshot *s, struct process *p)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);

	s->ppid = process_parent_pid(p);
	s->pgid = p->group != NULL ? p->group->id : 0;
	s->sid = p->group != NULL ? p->group->session->id : 0;
	spin_unlock_irqrestore(&process_tree_lock, state);
	process_identify_tty(p, &s->tty, &s->foreground);
}

static void take_umask(struct snapshot *s, struct task *t)
{
	struct fs_state *fs = task_get_fs(t);

	if (fs == NULL)
		return;
	s->umask = read_once(fs->umask);
	fs_state_put(fs);
}

static int snapshot_take(struct snapshot *s, const struct proc_subject *subject, bool areas,
			 struct process **p, struct task **t)
{
	*s = (struct snapshot){ 0 };
	if (!proc_subject_get(subject, p, t))
		return -ESRCH;
	if (*t == NULL) {
		proc_subject_put(*p, *t);
		return -ESRCH;
	}
	s->state = state_of(*p, *t);
	take_tree(s, *p);
	take_signals(s, *p, *t);
	take_space(s, *t, areas);
	take_umask(s, *t);
	if (subject->tid == subject->pid)
		process_times(*p, &s->user_ns, &s->system_ns);
	else
		task_times(*t, &s->user_ns, &s->system_ns);
	s->cred = cred_of_task(*t);
	return 0;
}

static void snapshot_drop(struct snapshot *s, struct process *p, struct task *t)
{
	cred_put(s->cred);
	proc_subject_put(p, t);
}

static int priority_of(const struct thread *t)
{
	return t->rt_priority != 0 ? -1 - t->rt_priority : 20 + t->nice;
}

#define U(x) ((unsigned long long)(x))

int proc_show_stat(struct text *out, const struct proc_subject *subject)
{
	struct snapshot s;
	struct process *p;
	struct task *t;
	int error = snapshot_take(&s, subject, false, &p, &t);

	if (error != 0)
		return error;
	text_printf(out, "%u (%s) %c %u %u %u ", t->thread.id, t->thread.name, s.state, s.ppid,
		    s.pgid, s.sid);
	text_printf(out, "%llu %lld 0 ", U(s.tty), (long long)s.foreground);
	text_printf(out, "%llu %llu %llu %llu ", U(t->minor_faults),
		    U(read_once(p->children_minor_faults)), U(t->major_faults),
		    U(read_once(p->children_major_faults)));
	text_printf(out, "%llu %llu %llu %llu ", U(s.user_ns / TICK_NS), U(s.system_ns / TICK_NS),
		    U(s.children_user_ns / TICK_NS), U(s.children_system_ns / TICK_NS));
	text_printf(out, "%d %d %u 0 %llu ", priority_of(&t->thread), t->thread.nice, s.threads,
		    U(p->start_ns / TICK_NS));
	text_printf(out, "%llu %llu %llu ", U(s.mapped * PAGE_SIZE), U(s.resident),
		    U(p->limits[RLIMIT_RSS].rlim_cur));
	text_printf(out, "%llu %llu %llu 0 0 ", U(s.start_code), U(s.end_code), U(s.start_stack));
	text_printf(out, "%llu %llu %llu %llu 0 0 0 ", U(s.pending & 0x7fffffff),
		    U(s.blocked & 0x7fffffff), U(s.ignored & 0x7fffffff),
		    U(s.caught & 0x7fffffff));
	text_printf(out, "%d %u %u %u 0 0 0 ", p->exit_signal, t->thread.cpu,
		    t->thread.rt_priority, t->thread.policy);
	text_printf(out, "%llu %llu %llu %llu %llu %llu %llu %d\n", U(s.start_data), U(s.end_data),
		    U(s.brk), U(s.arg_start), U(s.arg_end), U(s.env_start), U(s.env_end),
		    s.state == 'Z' ? p->exit_status : 0);
	snapshot_drop(&s, p, t);
	return 0;
}

int proc_show_statm(struct text *out, const struct proc_subject *subject)
{
	struct snapshot s;
	struct process *p;
	struct task *t;
	int error = snapshot_take(&s, subject, true, &p, &t);

	if (error != 0)
		return error;
	text_printf(out, "%llu %llu %llu %llu 0 %llu 0\n", U(s.mapped), U(s.resident),
		    U(s.file + s.shmem), U(s.text), U(s.data + s.stack));
	snapshot_drop(&s, p, t);
	return 0;
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	default: return "X (dead)";
	}
}

static void put_status_ids(struct text *out, const struct snapshot *s, struct process *p,
			   struct task *t)
{
	const struct cred *c = s->cred;

	text_printf(out, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", t->thread.name,
		    s->umask, state_name(s->state));
	text_printf(out, "Tgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n", p->pid,
		    t->thread.id, s->ppid, s->tracer);
	text_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	text_printf(out, "Gid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t", c->gid, c->egid, c->sgid,
		    c->fsgid);
	for (uint32_t i = 0; i < c->group_count; i++)
		text_printf(out, "%u ", c->groups[i]);
	text_printf(out, "\nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", p->pid,
		    t->thread.id, s->pgid, s->sid);
}

static void put_kib(struct text *out, const char *name, uint64_t pages)
{
	text_printf(out, "%s:\t%8llu kB\n", name, U(pages * (PAGE_SIZE / 1024)));
}

static void put_status_memory(struct text *out, const struct snapshot *s)
{
	if (s->mapped == 0)
		return;
	put_kib(out, "VmPeak", s->mapped);
	put_kib(out, "VmSize", s->mapped);
	put_kib(out, "VmLck", s->locked);
	put_kib(out, "VmPin", 0);
	put_kib(out, "VmHWM", s->peak);
	put_kib(out, "VmRSS", s->resident);
	put_kib(out, "RssAnon", s->resident - MIN(s->resident, s->file + s->shmem));
	put_kib(out, "RssFile", s->file);
	put_kib(out, "RssShmem", s->shmem);
	put_kib(out, "VmData", s->data);
	put_kib(out, "VmStk", s->stack);
	put_kib(out, "VmExe", s->text);
	put_kib(out, "VmLib", s->executable - s->text);
	put_kib(out, "VmPTE", s->tables);
	put_kib(out, "VmSwap", 0);
}

void proc_put_cpu_list(struct text *out, cpu_mask_t set)
{
	const char *between = "";

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		uint32_t first = cpu;

		if ((set >> cpu & 1) == 0)
			continue;
		while (cpu + 1 < cpu_count && (set >> (cpu + 1) & 1) != 0)
			cpu++;
		text_printf(out, first == cpu ? "%s%u" : "%s%u-%u", between, first, cpu);
		between = ",";
	}
	text_putc(out, '\n');
}

void proc_put_cpu_mask(struct text *out, cpu_mask_t set)
{
	text_printf(out, "%0*x\n", (int)(cpu_count + 3) / 4,
		    (uint32_t)(set & ((1ULL << cpu_count) - 1)));
}

static void put_status_rest(struct text *out, const struct snapshot *s, struct process *p,
			    struct task *t)
{
	const struct cred *c = s->cred;

	text_printf(out, "Threads:\t%u\nSigQ:\t0/%llu\n", s->threads,
		    U(p->limits[RLIMIT_SIGPENDING].rlim_cur));
	text_printf(out, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n", U(s->pending),
		    U(s->shared_pending), U(s->blocked));
	text_printf(out, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", U(s->ignored), U(s->caught));
	text_printf(out, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
		    U(c->cap_inheritable), U(c->cap_permitted), U(c->cap_effective));
	text_printf(out, "CapBnd:\t%016llx\nCapAmb:\t%016llx\nNoNewPrivs:\t%d\nSeccomp:\t0\n",
		    U(c->cap_bounding), U(c->cap_ambient), c->no_new_privs);
	text_printf(out, "Cpus_allowed:\t");
	proc_put_cpu_mask(out, t->thread.affinity);
	text_printf(out, "Cpus_allowed_list:\t");
	proc_put_cpu_list(out, t->thread.affinity);
	text_printf(out, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		    U(t->thread.voluntary_switches), U(t->thread.involuntary_switches));
}

int proc_show_status(struct text *out, const struct proc_subject *subject)
{
	struct snapshot s;
	struct process *p;
	struct task *t;
	int error = snapshot_take(&s, subject, true, &p, &t);

	if (error != 0)
		return error;
	put_status_ids(out, &s, p, t);
	put_status_memory(out, &s);
	put_status_rest(out, &s, p, t);
	snapshot_drop(&s, p, t);
	return 0;
}
