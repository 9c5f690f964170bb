/*
 * crash.h - why a machine ended before its program did.
 */
#pragma once

#include "emulator.h"
#include "kernel.h"

/* Prints the panic with names for its addresses, or the best other reason there is, on stderr. */
void crash_report(const struct emulator *emulator, const struct kernel *kernel);
