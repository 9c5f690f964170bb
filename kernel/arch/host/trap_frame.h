/*
 * The registers of a program on the host architecture. There is no such program: tests fill frames
 * and look at them.
 */
#pragma once

#include "core/types.h"

struct trap_frame {
	uint64_t pc, sp, result;
	uint64_t args[6];
	uint64_t call_number;
	bool user, single_step;
};
