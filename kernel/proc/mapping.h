/*
 * Mapping files into a space: what exec and mmap share.
 */
#pragma once

#include "vfs/file.h"
#include "vm/space.h"

/* Maps `file` as *area says (start, end, flags, offset); on failure nothing is held. */
must_check int mapping_add_file(struct space *space, struct file *file, struct area *area,
				enum map_where where);
