/*
 * Ancillary data (cmsg(3)): SCM_RIGHTS and SCM_CREDENTIALS, between a program's control buffer and
 * a socket_message.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "net/socket.h"
#include "proc/task.h"

#define CMSG_ALIGN(n) (((n) + 7) & ~7UL)

void control_put_files(struct socket_message *m)
{
	for (size_t i = 0; i < m->file_count; i++)
		file_put(m->files[i]);
	kfree(m->files);
	m->files = NULL;
	m->file_count = 0;
}

static int parse_rights(struct socket_message *m, uint64_t data, size_t bytes)
{
	size_t n = bytes / sizeof(int);
	struct file **grown;

	if (n == 0)
		return 0;
	if (m->file_count + n > SCM_MAX_FD)
		return -EINVAL;
	grown = kcalloc(m->file_count + n + 1, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	if (m->file_count > 0)
		memcpy(grown, m->files, m->file_count * sizeof(*grown));
	kfree(m->files);
	m->files = grown;
	for (size_t i = 0; i < n; i++) {
		struct fd_ref ref;
		int fd;

		if (copy_from_user(&fd, user_addr(data + i * sizeof(fd)), sizeof(fd)) != 0)
			return -EFAULT;
		if (!fd_get(fd, &ref))
			return -EBADF;
		file_get(ref.file);
		m->files[m->file_count++] = ref.file;
		fd_put(&ref);
	}
	return 0;
}

/* One may say who one is; anything else takes a capability. */
static int parse_credentials(struct socket_message *m, uint64_t data, size_t bytes)
{
	const struct cred *cred = cred_current();
	struct abi_ucred *u = &m->credentials;

	if (bytes != sizeof(*u))
		return -EINVAL;
	if (copy_from_user(u, user_addr(data), sizeof(*u)) != 0)
		return -EFAULT;
	if (((uint32_t)u->pid != process_current()->pid && !capable(CAP_SYS_ADMIN)) ||
	    (u->uid != cred->uid && u->uid != cred->euid && u->uid != cred->suid &&
	     !capable(CAP_SETUID)) ||
	    (u->gid != cred->gid && u->gid != cred->egid && u->gid != cred->sgid &&
	     !capable(CAP_SETGID)))
		return -EPERM;
	m->has_credentials = true;
	return 0;
}

static int parse_one(struct socket_message *m, const struct abi_cmsghdr *h, uint64_t data)
{
	size_t bytes = h->cmsg_len - sizeof(*h);

	if (h->cmsg_level != SOL_SOCKET)
		return 0;		/* the family's own: none of them has any yet */
	if (h->cmsg_type == SCM_RIGHTS)
		return parse_rights(m, data, bytes);
	if (h->cmsg_type == SCM_CREDENTIALS)
		return parse_credentials(m, data, bytes);
	return -EINVAL;
}

int control_parse(struct socket_message *m, uint64_t address, size_t bytes)
{
	size_t at = 0;
	int error = 0;

	while (error == 0 && bytes - at >= sizeof(struct abi_cmsghdr)) {
		struct abi_cmsghdr h;

		if (copy_from_user(&h, user_addr(address + at), sizeof(h)) != 0)
			error = -EFAULT;
		else if (h.cmsg_len < sizeof(h) || h.cmsg_len > bytes - at)
			error = -EINVAL;
		else
			error = parse_one(m, &h, address + at + sizeof(h));
		if (error == 0) {
			size_t step = CMSG_ALIGN(h.cmsg_len);

			if (step > bytes - at)
				break;
			at += step;
		}
	}
	if (error != 0)
		control_put_files(m);
	return error;
}

/* Header and data; false when it does not fit (MSG_CTRUNC). */
static bool write_one(uint64_t address, size_t *at, size_t room, int type, const void *data,
		      size_t bytes)
{
	struct abi_cmsghdr h = {
		.cmsg_len = sizeof(h) + bytes, .cmsg_level = SOL_SOCKET, .cmsg_type = type,
	};

	if (room - *at < h.cmsg_len)
		return false;
	if (copy_to_user(user_addr(address + *at), &h, sizeof(h)) != 0 ||
	    copy_to_user(user_addr(address + *at + sizeof(h)), data, bytes) != 0)
		return false;
	*at += CMSG_ALIGN(h.cmsg_len) < room - *at ? CMSG_ALIGN(h.cmsg_len) : room - *at;
	return true;
}

/* As many descriptors as there is room and table for; the other files are dropped. */
static void write_rights(struct socket_message *m, uint64_t address, size_t *at, size_t room)
{
	size_t fit = room - *at > sizeof(struct abi_cmsghdr)
			     ? (room - *at - sizeof(struct abi_cmsghdr)) / sizeof(int) : 0;
	int fds[SCM_MAX_FD];
	size_t n = 0;

	while (n < m->file_count && n < fit) {
		int fd = fd_reserve(0, (m->flags & MSG_CMSG_CLOEXEC) != 0);

		if (fd < 0)
			break;
		fds[n++] = fd;
	}
	if (n < m->file_count)
		m->out_flags |= MSG_CTRUNC;
	if (n == 0)
		return;
	if (!write_one(address, at, room, SCM_RIGHTS, fds, n * sizeof(int))) {
		m->out_flags |= MSG_CTRUNC;
		while (n > 0)
			fd_cancel(fds[--n]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		file_get(m->files[i]);	/* control_put_files drops the message's own */
		fd_install(fds[i], m->files[i]);
	}
}

void control_write(struct socket_message *m, uint64_t address, size_t *bytes)
{
	size_t at = 0;

	if (m->has_credentials &&
	    !write_one(address, &at, *bytes, SCM_CREDENTIALS, &m->credentials,
		       sizeof(m->credentials)))
		m->out_flags |= MSG_CTRUNC;
	if (m->file_count > 0)
		write_rights(m, address, &at, *bytes);
	*bytes = at;
	control_put_files(m);
}
