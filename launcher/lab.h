/*
 * lab.h - the lab (doc/headway.md): commands that measure, each ending in an answer of one screen.
 *
 * A command returns 0 only when it observed what it claims. One file a group of them; the table
 * is in lab.c.
 */
#pragma once

struct lab_command {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
	const char *help;			/* one line */
};

/* `tine lab NAME [ARG...]`; argv[0] is "lab". */
int lab(int argc, char **argv);
