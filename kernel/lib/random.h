/*
 * The core of the random number generator: ChaCha20 with fast key erasure.
 *
 * Every request first replaces the key by output of the old one, so that a key found in memory
 * later does not reveal what was given out before. Reseeding hashes the old key with the new input:
 * what is unpredictable in either stays so, and hostile input cannot make things worse.
 *
 * The state is the caller's and so is the lock. For large requests the owner holds its lock only
 * for random_fork() and fills from the child, which it then wipes. How much entropy went in is the
 * owner's to judge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RANDOM_KEY_SIZE 32

struct random {
	uint32_t key[RANDOM_KEY_SIZE / 4];
};

/* A known state: worthless until it is reseeded. */
void random_init(struct random *random);

void random_reseed(struct random *random, const void *input, size_t size);

void random_fill(struct random *random, void *to, size_t size);

/* Gives the child a key of its own, independent of all that the parent gives out. */
void random_fork(struct random *random, struct random *child);

/* Overwrites the key, in a way that the compiler keeps. */
void random_wipe(struct random *random);
