/*
 * The architecture's inline functions: processor-local data, preemption count, interrupt flag.
 * The Makefile says which architecture (ARCH_HEADER); included by core/percpu.h alone, since it
 * needs struct cpu.
 */
#pragma once

#include ARCH_HEADER
