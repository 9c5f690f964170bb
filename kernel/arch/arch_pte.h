/*
 * Page-table entries of the architecture (ARCH_PTE_HEADER, given by the Makefile).
 */
#pragma once

#include ARCH_PTE_HEADER
