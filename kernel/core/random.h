/*
 * The kernel's random numbers: one generator (lib/random.h), seeded by the architecture at boot and
 * by virtio-rng when it comes. Any context.
 */
#pragma once

#include "core/types.h"

void random_start(void);		/* boot */
/* Mixes bytes from a device in; cannot make things worse. */
void random_add(const void *bytes, size_t n);
void random_bytes(void *to, size_t n);
uint64_t random_u64(void);
