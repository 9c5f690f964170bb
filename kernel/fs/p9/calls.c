/*
 * The typed calls: arguments out, results in.
 */
#include "abi/errno.h"
#include "fs/p9/client_internal.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"

#define GETATTR_BASIC 0x7ff

/* Runs a call whose reply has nothing that we need, and ends it. */
static int run_and_end(struct p9_client *c, struct p9_call *call)
{
	int error = p9_call_run(c, call);

	p9_call_end(c, call);
	return error;
}

int p9_walk(struct p9_client *c, uint32_t fid, const char *name, size_t length, uint32_t *new_fid)
{
	struct p9_call *call = p9_call_begin(c, P9_TWALK);
	uint16_t names = name != NULL, walked;
	int error;

	if (call == NULL)
		return -ENOMEM;
	*new_fid = p9_fid_take(c);
	p9_put32(&call->request, fid);
	p9_put32(&call->request, *new_fid);
	p9_put16(&call->request, names);
	if (name != NULL)
		p9_put_string(&call->request, name, length);
	error = p9_call_run(c, call);
	walked = error == 0 ? p9_get16(&call->reply) : 0;
	if (error == 0 && (call->reply.bad || walked != names))
		error = -EIO;
	p9_call_end(c, call);
	if (error != 0)
		p9_fid_return(c, *new_fid);
	return error;
}

int p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *attr)
{
	struct p9_call *call = p9_call_begin(c, P9_TGETATTR);
	int error;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put64(&call->request, GETATTR_BASIC);
	error = p9_call_run(c, call);
	if (error == 0) {
		p9_get_attr(&call->reply, attr);
		if (call->reply.bad)
			error = -EIO;
	}
	p9_call_end(c, call);
	return error;
}

int p9_setattr(struct p9_client *c, uint32_t fid, const struct p9_setattr *attr)
{
	struct p9_call *call = p9_call_begin(c, P9_TSETATTR);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put32(&call->request, attr->valid);
	p9_put32(&call->request, attr->mode);
	p9_put32(&call->request, attr->uid);
	p9_put32(&call->request, attr->gid);
	p9_put64(&call->request, attr->size);
	for (int i = 0; i < 2; i++)
		p9_put64(&call->request, attr->atime[i]);
	for (int i = 0; i < 2; i++)
		p9_put64(&call->request, attr->mtime[i]);
	return run_and_end(c, call);
}

int p9_open(struct p9_client *c, uint32_t fid, uint32_t flags)
{
	struct p9_call *call = p9_call_begin(c, P9_TLOPEN);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put32(&call->request, flags);
	return run_and_end(c, call);
}

int p9_create(struct p9_client *c, uint32_t fid, const char *name, size_t length, uint32_t flags,
	      uint32_t mode, uint32_t gid)
{
	struct p9_call *call = p9_call_begin(c, P9_TLCREATE);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put_string(&call->request, name, length);
	p9_put32(&call->request, flags);
	p9_put32(&call->request, mode);
	p9_put32(&call->request, gid);
	return run_and_end(c, call);
}

int p9_mkdir(struct p9_client *c, uint32_t fid, const char *name, size_t length, uint32_t mode,
	     uint32_t gid)
{
	struct p9_call *call = p9_call_begin(c, P9_TMKDIR);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put_string(&call->request, name, length);
	p9_put32(&call->request, mode);
	p9_put32(&call->request, gid);
	return run_and_end(c, call);
}

int p9_mknod(struct p9_client *c, uint32_t fid, const char *name, size_t length, uint32_t mode,
	     uint64_t rdev, uint32_t gid)
{
	struct p9_call *call = p9_call_begin(c, P9_TMKNOD);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put_string(&call->request, name, length);
	p9_put32(&call->request, mode);
	p9_put32(&call->request, (uint32_t)(rdev >> 8 & 0xfff));
	p9_put32(&call->request, (uint32_t)((rdev & 0xff) | (rdev >> 12 & 0xfff00)));
	p9_put32(&call->request, gid);
	return run_and_end(c, call);
}

int p9_symlink(struct p9_client *c, uint32_t fid, const char *name, size_t length,
	       const char *target, uint32_t gid)
{
	struct p9_call *call = p9_call_begin(c, P9_TSYMLINK);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put_string(&call->request, name, length);
	p9_put_string(&call->request, target, strlen(target));
	p9_put32(&call->request, gid);
	return run_and_end(c, call);
}

int p9_link(struct p9_client *c, uint32_t dir, uint32_t fid, const char *name, size_t length)
{
	struct p9_call *call = p9_call_begin(c, P9_TLINK);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, dir);
	p9_put32(&call->request, fid);
	p9_put_string(&call->request, name, length);
	return run_and_end(c, call);
}

int p9_unlink(struct p9_client *c, uint32_t dir, const char *name, size_t length, uint32_t flags)
{
	struct p9_call *call = p9_call_begin(c, P9_TUNLINKAT);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, dir);
	p9_put_string(&call->request, name, length);
	p9_put32(&call->request, flags);
	return run_and_end(c, call);
}

int p9_rename(struct p9_client *c, uint32_t from, const char *old, size_t old_length, uint32_t to,
	      const char *name, size_t length)
{
	struct p9_call *call = p9_call_begin(c, P9_TRENAMEAT);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, from);
	p9_put_string(&call->request, old, old_length);
	p9_put32(&call->request, to);
	p9_put_string(&call->request, name, length);
	return run_and_end(c, call);
}

int p9_readlink(struct p9_client *c, uint32_t fid, char **out)
{
	struct p9_call *call = p9_call_begin(c, P9_TREADLINK);
	const char *target;
	uint16_t length;
	int error;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	error = p9_call_run(c, call);
	if (error == 0) {
		target = p9_get_string(&call->reply, &length);
		*out = target != NULL ? kzalloc(length + 1u) : NULL;
		if (*out != NULL)
			memcpy(*out, target, length);
		else
			error = target == NULL ? -EIO : -ENOMEM;
	}
	p9_call_end(c, call);
	return error;
}

int p9_fsync(struct p9_client *c, uint32_t fid, bool data_only)
{
	struct p9_call *call = p9_call_begin(c, P9_TFSYNC);

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put32(&call->request, data_only);
	return run_and_end(c, call);
}

int p9_statfs(struct p9_client *c, uint32_t fid, struct p9_statfs *out)
{
	struct p9_call *call = p9_call_begin(c, P9_TSTATFS);
	int error;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	error = p9_call_run(c, call);
	if (error == 0) {
		out->type = p9_get32(&call->reply);
		out->bsize = p9_get32(&call->reply);
		out->blocks = p9_get64(&call->reply);
		out->bfree = p9_get64(&call->reply);
		out->bavail = p9_get64(&call->reply);
		out->files = p9_get64(&call->reply);
		out->ffree = p9_get64(&call->reply);
		p9_get64(&call->reply);		/* fsid */
		out->namelen = p9_get32(&call->reply);
		if (call->reply.bad)
			error = -EIO;
	}
	p9_call_end(c, call);
	return error;
}

void p9_clunk(struct p9_client *c, uint32_t fid)
{
	struct p9_call *call = p9_call_begin(c, P9_TCLUNK);
	int error;

	if (call == NULL)
		return;		/* the server keeps the fid: a small leak beats a wait for memory */
	p9_put32(&call->request, fid);
	error = run_and_end(c, call);
	if (error == 0)
		p9_fid_return(c, fid);
}

/* Read, readdir: the reply's header is ours, its data goes straight to the pages. */
static ssize_t run_read(struct p9_client *c, enum p9_type type, uint32_t fid, uint64_t offset,
			struct page *const *pages, size_t count)
{
	struct p9_call *call = p9_call_begin(c, type);
	ssize_t got;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put64(&call->request, offset);
	p9_put32(&call->request, (uint32_t)(count * PAGE_SIZE));
	call->pages = pages;
	call->page_count = count;
	call->device_writes_pages = true;
	got = p9_call_run(c, call);
	if (got == 0) {
		got = p9_get32(&call->reply);
		if (call->reply.bad || (size_t)got > count * PAGE_SIZE ||
		    (size_t)got + P9_IO_HEADER_BYTES > call->reply_bytes)
			got = -EIO;
	}
	p9_call_end(c, call);
	return got;
}

ssize_t p9_read_pages(struct p9_client *c, uint32_t fid, uint64_t offset,
		      struct page *const *pages, size_t count)
{
	return run_read(c, P9_TREAD, fid, offset, pages, count);
}

ssize_t p9_readdir(struct p9_client *c, uint32_t fid, uint64_t offset, struct page *page)
{
	return run_read(c, P9_TREADDIR, fid, offset, &page, 1);
}

ssize_t p9_write_pages(struct p9_client *c, uint32_t fid, uint64_t offset,
		       struct page *const *pages, size_t bytes)
{
	struct p9_call *call = p9_call_begin(c, P9_TWRITE);
	ssize_t put;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, fid);
	p9_put64(&call->request, offset);
	p9_put32(&call->request, (uint32_t)bytes);
	call->pages = pages;
	call->page_count = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	call->data_bytes = bytes;
	put = p9_call_run(c, call);
	if (put == 0) {
		put = p9_get32(&call->reply);
		if (call->reply.bad || (size_t)put > bytes)
			put = -EIO;
	}
	p9_call_end(c, call);
	return put;
}
