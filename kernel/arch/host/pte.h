/*
 * Page-table entries of the host architecture: those of x86-64, which are pure bit operations. The
 * walker is software (arch/host/user_memory.c).
 */
#pragma once

#include "arch/x86_64/pte.h"
