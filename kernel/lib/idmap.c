/*
 * Id map: a tree of fixed height three. `full` lets the search for a free id skip whole subtrees,
 * `used` lets iteration and freeing do so. The two bitmaps of an inner node are functions of its
 * children's, restored on the way up after every change.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/idmap.h"
#include "lib/string.h"

#define LEVELS 3U
#define FULL (~0ULL)

static unsigned slot_of(uint32_t id, unsigned level)
{
	return (id >> (6 * level)) & 63;
}

void idmap_init(struct idmap *map, uint32_t first, uint32_t last, struct idmap_memory memory)
{
	LIB_ASSERT(first <= last && last < IDMAP_LIMIT);
	*map = (struct idmap){
		.first = first, .last = last, .cursor = first, .memory = memory};
}

void idmap_fini(struct idmap *map)
{
	/* Freeing the ids one by one gives the nodes back without a second walker to keep right. */
	for (uint32_t id = map->first; map->root != NULL && id <= map->last; id++) {
		const struct idmap_node *node = map->root;
		unsigned level = LEVELS - 1;

		while (level > 0 && (node->used & BIT64(slot_of(id, level))) != 0)
			node = node->slot[slot_of(id, level--)];
		if ((node->used & BIT64(slot_of(id, level))) != 0)
			(void)idmap_free(map, id);
		else
			id |= (1U << (6 * level)) - 1;
	}
	LIB_ASSERT(map->root == NULL && map->count == 0);
}

/* The first free id at `from` or above, IDMAP_LIMIT when there is none. */
static uint32_t find_free(const struct idmap *map, uint32_t from)
{
	while (from < IDMAP_LIMIT) {
		const struct idmap_node *node = map->root;
		unsigned level = LEVELS - 1;

		for (;; level--) {
			uint64_t rest;
			unsigned slot = slot_of(from, level);

			if (node == NULL)
				return from;
			rest = ~node->full >> slot;
			if (rest == 0)
				break;
			if ((rest & 1) == 0) {
				slot += lowest_bit(rest);
				from = (from >> (6 * level) >> 6 << 6 | slot) << (6 * level);
			}
			if (level == 0)
				return from;
			node = node->slot[slot];
		}
		level++;
		from = ((from >> (6 * level)) + 1) << (6 * level);
	}
	return IDMAP_LIMIT;
}

static struct idmap_node *node_create(struct idmap *map)
{
	struct idmap_node *node = map->memory.alloc(map->memory.context);

	if (node != NULL)
		memset(node, 0, sizeof(*node));
	return node;
}

/*
 * Gives back the empty nodes on the path and restores the bitmaps above the others. The lower part
 * of the path is NULL when it could not be made.
 */
static void settle(struct idmap *map, struct idmap_node *path[LEVELS], uint32_t id)
{
	for (unsigned level = 1; level < LEVELS; level++) {
		struct idmap_node *child = path[level - 1];
		uint64_t bit = BIT64(slot_of(id, level));

		if (path[level] == NULL)
			continue;
		path[level]->used |= bit;
		path[level]->full &= ~bit;
		if (child == NULL || child->used == 0) {
			path[level]->used &= ~bit;
			path[level]->slot[slot_of(id, level)] = NULL;
			if (child != NULL)
				map->memory.release(map->memory.context, child);
		} else if (child->full == FULL) {
			path[level]->full |= bit;
		}
	}
	if (map->root->used == 0) {
		map->memory.release(map->memory.context, map->root);
		map->root = NULL;
	}
}

/* Makes the nodes down to id. On -ENOMEM no empty node is left behind. */
static int make_path(struct idmap *map, uint32_t id, struct idmap_node *path[LEVELS])
{
	if (map->root == NULL)
		map->root = node_create(map);
	path[LEVELS - 1] = map->root;
	if (map->root == NULL)
		return -ENOMEM;
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		void **slot = &path[level]->slot[slot_of(id, level)];

		if (*slot == NULL)
			*slot = node_create(map);
		path[level - 1] = *slot;
		if (*slot == NULL) {
			for (unsigned below = 0; below < level; below++)
				path[below] = NULL;
			settle(map, path, id);
			return -ENOMEM;
		}
	}
	return 0;
}

static int take(struct idmap *map, uint32_t id, void *pointer)
{
	struct idmap_node *path[LEVELS] = {NULL};
	int error = make_path(map, id, path);

	if (error != 0)
		return error;
	path[0]->slot[slot_of(id, 0)] = pointer;
	path[0]->used |= BIT64(slot_of(id, 0));
	path[0]->full |= BIT64(slot_of(id, 0));
	settle(map, path, id);
	map->count++;
	return 0;
}

int idmap_alloc_from(struct idmap *map, uint32_t from, void *pointer, uint32_t *id)
{
	uint32_t found = find_free(map, MAX(from, map->first));
	int error;

	if (found > map->last)
		return -EAGAIN;
	error = take(map, found, pointer);
	if (error == 0)
		*id = found;
	return error;
}

int idmap_alloc(struct idmap *map, void *pointer, uint32_t *id)
{
	return idmap_alloc_from(map, map->first, pointer, id);
}

int idmap_alloc_cyclic(struct idmap *map, void *pointer, uint32_t *id)
{
	int error = idmap_alloc_from(map, map->cursor, pointer, id);

	if (error == -EAGAIN)
		error = idmap_alloc_from(map, map->first, pointer, id);
	if (error == 0)
		map->cursor = *id + 1;
	return error;
}

/* The lowest node above id, NULL when the id is free. */
static struct idmap_node *find_leaf(const struct idmap *map, uint32_t id,
				    struct idmap_node *path[LEVELS])
{
	struct idmap_node *node = map->root;

	if (id >= IDMAP_LIMIT)
		return NULL;
	for (unsigned level = LEVELS - 1; node != NULL; level--) {
		path[level] = node;
		if ((node->used & BIT64(slot_of(id, level))) == 0)
			return NULL;
		if (level == 0)
			return node;
		node = node->slot[slot_of(id, level)];
	}
	return NULL;
}

int idmap_alloc_at(struct idmap *map, uint32_t id, void *pointer)
{
	struct idmap_node *path[LEVELS];

	if (id < map->first || id > map->last)
		return -EINVAL;
	if (find_leaf(map, id, path) != NULL)
		return -EEXIST;
	return take(map, id, pointer);
}

void idmap_set(struct idmap *map, uint32_t id, void *pointer)
{
	struct idmap_node *path[LEVELS];
	struct idmap_node *leaf = find_leaf(map, id, path);

	LIB_ASSERT(leaf != NULL);
	leaf->slot[slot_of(id, 0)] = pointer;
}

void *idmap_find(const struct idmap *map, uint32_t id)
{
	struct idmap_node *path[LEVELS];
	struct idmap_node *leaf = find_leaf(map, id, path);

	return leaf != NULL ? leaf->slot[slot_of(id, 0)] : NULL;
}

void *idmap_next(const struct idmap *map, uint32_t *id)
{
	for (uint32_t at = *id; at <= map->last && map->root != NULL;) {
		const struct idmap_node *node = map->root;
		unsigned level = LEVELS - 1;

		while (level > 0 && (node->used & BIT64(slot_of(at, level))) != 0)
			node = node->slot[slot_of(at, level--)];
		if (level == 0 && node->slot[slot_of(at, 0)] != NULL) {
			*id = at;
			return node->slot[slot_of(at, 0)];
		}
		at = ((at >> (6 * level)) + 1) << (6 * level);
	}
	return NULL;
}

void *idmap_free(struct idmap *map, uint32_t id)
{
	struct idmap_node *path[LEVELS];
	struct idmap_node *leaf = find_leaf(map, id, path);
	uint64_t bit = BIT64(slot_of(id, 0));
	void *pointer;

	LIB_ASSERT(leaf != NULL);
	pointer = leaf->slot[slot_of(id, 0)];
	leaf->slot[slot_of(id, 0)] = NULL;
	leaf->used &= ~bit;
	leaf->full &= ~bit;
	map->count--;
	settle(map, path, id);
	return pointer;
}
