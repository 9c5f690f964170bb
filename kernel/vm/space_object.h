/*
 * From an object to the spaces that map it: the rare walk that takes the place of a reverse map.
 */
#pragma once

#include "vm/space.h"

/* Unmaps pages [first,last) of the object everywhere; `copies`: private copies of them too. */
void space_unmap_object_pages(struct object *object, uint64_t first, uint64_t last, bool copies);
/* Takes write permission from every shared mapping of pages [first,last). */
void space_clean_object(struct object *object, uint64_t first, uint64_t last);
