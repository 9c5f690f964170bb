/*
 * The list of objects whose pages can be had again from their store.
 */
#pragma once

#include "vm/object.h"

void object_reclaim_register(struct object *object);
void object_reclaim_unregister(struct object *object);
