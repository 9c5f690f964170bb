/*
 * terminal.c - the host's terminal while a program in the guest has it.
 *
 * Raw mode is set only when stdin is the terminal: then ^C and ^Z are bytes for the guest's pty,
 * which makes signals of them there. Otherwise the terminal stays as it is, ^C is a signal to the
 * launcher, and the launcher forwards it.
 *
 * A program that is ended with its machine cannot leave the alternate screen or show the cursor
 * again; nor does one that a signal ends. What the terminal was sent is watched for such modes.
 */
#include "terminal.h"

#include "terminal_modes.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved_modes;
static bool is_saved;
static struct terminal_modes output_modes;

static void restore_at_exit(void)
{
	static bool registered;

	if (!registered)
		atexit(terminal_restore);
	registered = true;
}

void terminal_watch(const uint8_t *bytes, size_t count)
{
	restore_at_exit();
	terminal_modes_watch(&output_modes, bytes, count);
}

static void undo_output_modes(void)
{
	char text[TERMINAL_UNDO_BYTES];
	const size_t length = terminal_modes_undo(&output_modes, text);

	/* A terminal that is gone needs nothing. */
	if (length > 0 && write(terminal_output(), text, length) < 0)
		return;
}

void terminal_restore(void)
{
	undo_output_modes();
	if (is_saved)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_modes);
	is_saved = false;
}

void terminal_raw(void)
{
	struct termios modes;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &modes) < 0)
		return;
	if (!is_saved) {
		saved_modes = modes;
		is_saved = true;
		restore_at_exit();
	}
	modes = saved_modes;
	cfmakeraw(&modes);
	/* Where our output goes elsewhere, somebody else may be writing lines to this terminal. */
	if (!isatty(STDOUT_FILENO))
		modes.c_oflag = saved_modes.c_oflag;
	/* Not TCSAFLUSH: what was typed ahead is meant for the program. */
	tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

int terminal_output(void)
{
	static const int preferred[] = { STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO };

	for (int i = 0; i < 3; i++) {
		if (isatty(preferred[i]))
			return preferred[i];
	}
	return -1;
}

bool terminal_size(struct protocol_winsize *size)
{
	struct winsize window;
	const int fd = terminal_output();

	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &window) < 0)
		return false;
	*size = (struct protocol_winsize){
		.rows = window.ws_row, .columns = window.ws_col,
		.x_pixels = window.ws_xpixel, .y_pixels = window.ws_ypixel,
	};
	return true;
}

static bool is_same_file(int left, int right)
{
	struct stat a, b;

	return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

uint32_t terminal_flags(void)
{
	uint32_t flags = 0;

	for (int fd = 0; fd < 3; fd++) {
		if (isatty(fd))
			flags |= START_STDIN_TERMINAL << fd;
	}
	if (flags && !((flags & START_STDIN_TERMINAL) && (flags & START_STDOUT_TERMINAL)))
		flags |= START_TERMINAL_PLAIN;
	if (!(flags & (START_STDOUT_TERMINAL | START_STDERR_TERMINAL)) &&
	    is_same_file(STDOUT_FILENO, STDERR_FILENO))
		flags |= START_STDERR_IS_STDOUT;
	return flags;
}
