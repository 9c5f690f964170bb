/*
 * The explorer as a machine's first process: nothing from outside has come by then, so two machines
 * are in one state when it begins. init, and with it the launcher's command, come after.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "explore.h"

static void put_at(int at, const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		_exit(2);
	dup2(fd, at);
	if (fd != at)
		close(fd);
}

/* The watcher's status; orphans of the scenarios are reaped. */
static int await(pid_t watcher)
{
	int status = -1, ended_status;
	pid_t ended;

	while ((ended = wait(&ended_status)) > 0)
		if (ended == watcher)
			status = ended_status;
	return status;
}

void first_process(void)
{
	pid_t watcher;

	/* init mounts its own later. */
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) != 0)
		_exit(2);
	watcher = fork();
	if (watcher == 0) {
		put_at(STDIN_FILENO, "/dev/null", O_RDONLY);
		put_at(STDOUT_FILENO, EXPLORE_REPORT, O_WRONLY | O_CREAT | O_TRUNC);
		return;
	}
	if (watcher > 0 && await(watcher) == 0)
		put_at(STDIN_FILENO, EXPLORE_WHOLE, O_WRONLY | O_CREAT);
	umount("/proc");
	umount("/dev");
	execl("/init", "/init", NULL);
	_exit(2);
}
