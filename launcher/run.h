/*
 * run.h - one run of a command in a machine of its own.
 */
#pragma once

#include "options.h"

/* The exit status for the shell. */
int run(const struct options *options);
