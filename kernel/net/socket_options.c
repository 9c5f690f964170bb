/*
 * Options that every socket has (socket(7)).
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "net/socket.h"
#include "proc/cred.h"

#define BUFFER_MIN 2304u
#define BUFFER_MAX 212992u


static int get_int(const void *value, size_t bytes, int *out)
{
	if (bytes < sizeof(*out))
		return -EINVAL;
	memcpy(out, value, sizeof(*out));
	return 0;
}

/* Linux doubles what is asked, for its own bookkeeping; programs expect to read that back. */
static void set_buffer(uint32_t *to, int asked, bool forced)
{
	uint32_t value = asked < 0 ? BUFFER_MAX : (uint32_t)asked;

	if (!forced && value > BUFFER_MAX)
		value = BUFFER_MAX;
	if (value > INT32_MAX / 2)
		value = INT32_MAX / 2;
	value *= 2;
	*to = value < BUFFER_MIN ? BUFFER_MIN : value;
}

static int set_timeout(uint64_t *to, const void *value, size_t bytes)
{
	struct abi_timeval v;

	if (bytes < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	if (v.tv_usec < 0 || v.tv_usec >= 1000000)
		return -EDOM;
	if (v.tv_sec < 0)
		v = (struct abi_timeval){ 0, 1 };	/* negative: at once */
	*to = (uint64_t)v.tv_sec > TIME_NEVER / NSEC_PER_SEC / 2
		      ? 0
		      : (uint64_t)v.tv_sec * NSEC_PER_SEC + (uint64_t)v.tv_usec * NSEC_PER_USEC;
	return 0;
}

static int set_linger(struct socket *s, const void *value, size_t bytes)
{
	struct abi_linger v;

	if (bytes < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	s->linger = v.l_onoff != 0 ? v.l_linger : -1;
	return 0;
}

static int set_forced(uint32_t *to, int asked)
{
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	set_buffer(to, asked, true);
	return 0;
}

static int set_common(struct socket *s, int name, const void *value, size_t bytes)
{
	int v;
	int error;

	if (name == SO_RCVTIMEO || name == SO_SNDTIMEO)
		return set_timeout(name == SO_RCVTIMEO ? &s->receive_timeout_ns
						       : &s->send_timeout_ns, value, bytes);
	if (name == SO_LINGER)
		return set_linger(s, value, bytes);
	error = get_int(value, bytes, &v);
	if (error != 0)
		return error;
	switch (name) {
	case SO_REUSEADDR: s->reuse_address = v != 0; return 0;
	case SO_KEEPALIVE: s->keep_alive = v != 0; return 0;
	case SO_BROADCAST: s->broadcast = v != 0; return 0;
	case SO_PASSCRED: s->pass_credentials = v != 0; return 0;
	case SO_SNDBUF: set_buffer(&s->send_buffer, v, false); return 0;
	case SO_RCVBUF: set_buffer(&s->receive_buffer, v, false); return 0;
	case SO_SNDBUFFORCE: return set_forced(&s->send_buffer, v);
	case SO_RCVBUFFORCE: return set_forced(&s->receive_buffer, v);
	case SO_TYPE: case SO_ERROR: case SO_DOMAIN: case SO_PROTOCOL: case SO_ACCEPTCONN:
		return -ENOPROTOOPT;	/* only to be read */
	case SO_DEBUG: case SO_DONTROUTE: case SO_OOBINLINE: case SO_PRIORITY:
	case SO_REUSEPORT: case SO_RCVLOWAT: case SO_TIMESTAMP: case SO_MARK:
		return 0;		/* accepted: nothing here depends on them */
	default:
		return -ENOPROTOOPT;
	}
}

int socket_set_option(struct socket *s, int level, int name, const void *value, size_t bytes)
{
	if (level == SOL_SOCKET)
		return set_common(s, name, value, bytes);
	return s->ops->set_option != NULL ? s->ops->set_option(s, level, name, value, bytes)
					  : -EOPNOTSUPP;
}

/* A result as the caller has room for it. */
static int put(void *value, size_t *bytes, const void *result, size_t n)
{
	if (*bytes > n)
		*bytes = n;
	memcpy(value, result, *bytes);
	return 0;
}

static int put_int(void *value, size_t *bytes, int result)
{
	return put(value, bytes, &result, sizeof(result));
}

static int put_timeout(void *value, size_t *bytes, uint64_t ns)
{
	struct abi_timeval v = { (int64_t)(ns / NSEC_PER_SEC),
				 (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };

	return put(value, bytes, &v, sizeof(v));
}

static int get_common(struct socket *s, int name, void *value, size_t *bytes)
{
	struct abi_linger linger = { s->linger >= 0, s->linger >= 0 ? s->linger : 0 };

	switch (name) {
	case SO_TYPE: return put_int(value, bytes, s->type);
	case SO_DOMAIN: return put_int(value, bytes, s->family);
	case SO_PROTOCOL: return put_int(value, bytes, s->protocol);
	case SO_ERROR: return put_int(value, bytes, -socket_take_error(s));
	case SO_REUSEADDR: return put_int(value, bytes, s->reuse_address);
	case SO_KEEPALIVE: return put_int(value, bytes, s->keep_alive);
	case SO_BROADCAST: return put_int(value, bytes, s->broadcast);
	case SO_PASSCRED: return put_int(value, bytes, s->pass_credentials);
	case SO_SNDBUF: return put_int(value, bytes, (int)s->send_buffer);
	case SO_RCVBUF: return put_int(value, bytes, (int)s->receive_buffer);
	case SO_RCVTIMEO: return put_timeout(value, bytes, s->receive_timeout_ns);
	case SO_SNDTIMEO: return put_timeout(value, bytes, s->send_timeout_ns);
	case SO_LINGER: return put(value, bytes, &linger, sizeof(linger));
	case SO_RCVLOWAT: return put_int(value, bytes, 1);
	case SO_DEBUG: case SO_DONTROUTE: case SO_OOBINLINE: case SO_PRIORITY:
	case SO_REUSEPORT: case SO_TIMESTAMP: case SO_MARK:
		return put_int(value, bytes, 0);
	default:
		return -ENOPROTOOPT;
	}
}

int socket_get_option(struct socket *s, int level, int name, void *value, size_t *bytes)
{
	int error = -ENOPROTOOPT;

	if (s->ops->get_option != NULL)
		error = s->ops->get_option(s, level, name, value, bytes);
	else if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (error != -ENOPROTOOPT || level != SOL_SOCKET)
		return error;
	return get_common(s, name, value, bytes);
}
