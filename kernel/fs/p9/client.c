/*
 * Calls: a tag, a request, a wait, a reply.
 *
 * Calls are not interruptible: the server is a file server on the same machine, and a call that was
 * given up would leave the device writing into memory that we reuse.
 */
#include "fs/p9/client.h"

#include "abi/errno.h"
#include "core/fail_point.h"
#include "fs/p9/client_internal.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/inode.h"

#define SPARE_CALLS_MAX 4

static struct spinlock transports_lock = SPINLOCK_INIT(RANK_TRACE);
static struct list_head transports GUARDED_BY(&transports_lock) = LIST_HEAD_INIT(transports);

void p9_transport_register(struct p9_transport *transport)
{
	spin_lock(&transports_lock);
	list_push_back(&transports, &transport->node);
	spin_unlock(&transports_lock);
}

struct p9_transport *p9_transport_find(const char *name)
{
	struct p9_transport *found = NULL;

	spin_lock(&transports_lock);
	for (struct list_head *at = transports.next; at != &transports; at = at->next) {
		struct p9_transport *t = container_of(at, struct p9_transport, node);

		if (strcmp(t->name, name) == 0)
			found = t;
	}
	spin_unlock(&transports_lock);
	return found;
}

static bool tag_try_take(struct p9_client *c, uint16_t *tag)
{
	bool taken = false;

	spin_lock(&c->lock);
	if (~c->tags != 0) {
		*tag = (uint16_t)__builtin_ctzll(~c->tags);
		c->tags |= 1ULL << *tag;
		taken = true;
	}
	spin_unlock(&c->lock);
	return taken;
}

static struct p9_call *spare_call_take(struct p9_client *c)
{
	struct p9_call *call = NULL;

	spin_lock(&c->lock);
	if (c->spare_count > 0) {
		c->spare_count--;
		call = container_of(list_pop_front(&c->spare_calls), struct p9_call, node);
	}
	spin_unlock(&c->lock);
	return call;
}

struct p9_call *p9_call_begin(struct p9_client *c, enum p9_type type)
{
	struct p9_call *call = fail_point("p9_call") ? NULL : spare_call_take(c);

	if (call == NULL)
		call = kmalloc(sizeof(*call));
	if (call == NULL)
		return NULL;
	memset(call, 0, offsetof(struct p9_call, request_data));
	wait_queue_init(&call->wait);
	call->type = type;
	call->request = (struct p9_buffer){ call->request_data, P9_CALL_BYTES, 0, false };
	call->reply = (struct p9_buffer){ call->reply_data, P9_CALL_BYTES, 0, false };
	p9_begin(&call->request, type);
	return call;
}

void p9_call_end(struct p9_client *c, struct p9_call *call)
{
	bool kept = false;

	spin_lock(&c->lock);
	if (c->spare_count < SPARE_CALLS_MAX) {
		c->spare_count++;
		list_push_back(&c->spare_calls, &call->node);
		kept = true;
	}
	spin_unlock(&c->lock);
	if (!kept)
		kfree(call);
}

void p9_call_done(struct p9_call *call, uint32_t reply_bytes)
{
	call->reply_bytes = reply_bytes;
	/* Under the queue's lock: the caller may reuse the call as soon as it sees `done`. */
	irq_state_t state = spin_lock_irqsave(&call->wait.lock);

	store_release(&call->done, true);
	spin_unlock_irqrestore(&call->wait.lock, state);
	wake_up(&call->wait);
}

int p9_call_run(struct p9_client *c, struct p9_call *call)
{
	uint16_t tag = 0;
	int error;

	if (call->request.bad)
		return -ENAMETOOLONG;
	wait_event(&c->tag_wait, tag_try_take(c, &tag));
	call->tag = call->type == P9_TVERSION ? P9_NO_TAG : tag;
	p9_end(&call->request, call->tag, call->device_writes_pages ? 0 : call->data_bytes);
	error = c->transport->submit(c->transport, call);
	if (error == 0) {
		wait_event(&call->wait, load_acquire(&call->done));
		error = p9_check_reply(&call->reply, call->reply_bytes, call->type, call->tag);
	}
	spin_lock(&c->lock);
	c->tags &= ~(1ULL << tag);
	spin_unlock(&c->lock);
	wake_up(&c->tag_wait);
	return error;
}

/* Fids come from a stack of returned ones, else a counter: the server's table stays dense. */
uint32_t p9_fid_take(struct p9_client *c)
{
	uint32_t fid;

	spin_lock(&c->lock);
	if (c->free_fid_count > 0)
		fid = c->free_fids[--c->free_fid_count];
	else
		fid = c->next_fid++;
	spin_unlock(&c->lock);
	return fid;
}

/* A fid that finds no room on the stack is forgotten: 2^32 of them are plenty. */
void p9_fid_return(struct p9_client *c, uint32_t fid)
{
	spin_lock(&c->lock);
	if (c->free_fid_count < c->free_fid_capacity)
		c->free_fids[c->free_fid_count++] = fid;
	spin_unlock(&c->lock);
}

static int client_version(struct p9_client *c)
{
	static const char version[] = "9P2000.L";
	struct p9_call *call = p9_call_begin(c, P9_TVERSION);
	uint16_t length;
	const char *got;
	int error;

	if (call == NULL)
		return -ENOMEM;
	p9_put32(&call->request, P9_MSIZE);
	p9_put_string(&call->request, version, strlen(version));
	error = p9_call_run(c, call);
	if (error == 0) {
		uint32_t msize = p9_get32(&call->reply);

		got = p9_get_string(&call->reply, &length);
		if (msize < P9_MSIZE || length != strlen(version) || memcmp(got, version, length))
			error = -EPROTONOSUPPORT;
	}
	p9_call_end(c, call);
	return error;
}

static int client_attach(struct p9_client *c, const char *aname, uint32_t *root)
{
	struct p9_call *call = p9_call_begin(c, P9_TATTACH);
	int error;

	if (call == NULL)
		return -ENOMEM;
	*root = p9_fid_take(c);
	p9_put32(&call->request, *root);
	p9_put32(&call->request, P9_NO_FID);
	p9_put_string(&call->request, "root", 4);
	p9_put_string(&call->request, aname, strlen(aname));
	p9_put32(&call->request, 0);
	error = p9_call_run(c, call);
	p9_call_end(c, call);
	return error;
}

/* Nobody else has the client yet: no lock. */
int p9_client_create(struct p9_transport *transport, const char *aname, uint32_t *root,
		     struct p9_client **out) NO_LOCK_ANALYSIS
{
	struct p9_client *c = kzalloc(sizeof(*c));
	int error;

	if (c == NULL)
		return -ENOMEM;
	c->transport = transport;
	spin_init(&c->lock, RANK_TRACE);
	list_init(&c->spare_calls);
	wait_queue_init(&c->tag_wait);
	c->free_fid_capacity = 1024;
	c->free_fids = kcalloc(c->free_fid_capacity, sizeof(*c->free_fids));
	error = c->free_fids == NULL ? -ENOMEM : client_version(c);
	if (error == 0)
		error = client_attach(c, aname, root);
	if (error != 0) {
		p9_client_destroy(c);
		return error;
	}
	*out = c;
	return 0;
}

/* Nobody else has the client any more: no lock. */
void p9_client_destroy(struct p9_client *c) NO_LOCK_ANALYSIS
{
	struct p9_call *call;

	while ((call = spare_call_take(c)) != NULL)
		kfree(call);
	kfree(c->free_fids);
	kfree(c);
}
