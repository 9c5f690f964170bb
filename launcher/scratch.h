/*
 * scratch.h - files of the launcher's own that have no name: whatever ends it, nothing stays.
 *
 * They are in memory. Who needs a name, another program of ours or the emulator, takes
 * scratch_path(), which is good while we live.
 */
#pragma once

/* A new, empty one, closed at exec; `name` is only for those who look into /proc. Does not fail. */
int scratch_file(const char *name);
char *scratch_path(int fd);
