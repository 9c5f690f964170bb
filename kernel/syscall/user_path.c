/*
 * Path arguments. Most names are short: they are copied to the stack and nothing is allocated.
 */
#include "syscall/user_path.h"

#include "abi/errno.h"
#include "mem/slab.h"

int user_string_get(uint64_t from, size_t max, char **out)
{
	char *s = kmalloc(max);
	ssize_t n;

	if (s == NULL)
		return -ENOMEM;
	n = copy_string_from_user(s, user_addr(from), max);
	if (n < 0) {
		kfree(s);
		return (int)n;
	}
	*out = s;
	return 0;
}

static int name_get(struct user_path *p, uint64_t name)
{
	ssize_t n = copy_string_from_user(p->inline_name, user_addr(name), USER_PATH_INLINE);

	p->name = p->inline_name;
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	return user_string_get(name, PATH_MAX_BYTES, &p->name);
}

static void name_put(struct user_path *p)
{
	if (p->name != p->inline_name)
		kfree(p->name);
}

int user_path_get(struct user_path *p, int dirfd, uint64_t name, unsigned int flags)
{
	/* RESOLVE_IN_ROOT: "/" is the base too. */
	bool wants_base = (flags & LOOKUP_IN_ROOT) != 0;
	int error = name_get(p, name);

	if (error != 0)
		return error;
	if (p->name[0] == '\0' && (flags & LOOKUP_EMPTY) == 0)
		error = -ENOENT;
	else
		error = path_base_get(dirfd, wants_base ? NULL : p->name, &p->base);
	if (error != 0)
		name_put(p);
	return error;
}

void user_path_put(struct user_path *p)
{
	path_base_put(&p->base);
	name_put(p);
}

int user_path_lookup(int dirfd, uint64_t name, unsigned int flags, struct path *out)
{
	struct user_path p;
	int error = user_path_get(&p, dirfd, name, flags);

	if (error != 0)
		return error;
	error = path_lookup(&p.base.ctx, p.name, flags, out);
	user_path_put(&p);
	return error;
}
