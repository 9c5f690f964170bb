/*
 * setsockopt, getsockopt: the value goes through the kernel's memory.
 */
#include "abi/errno.h"
#include "core/user_copy.h"
#include "net/socket.h"
#include "syscall/syscalls.h"
#include "syscall/user_socket.h"

#define OPTION_MAX 1024

long sys_setsockopt(uint64_t fd, uint64_t level, uint64_t name, uint64_t value, uint64_t bytes)
{
	uint8_t buffer[OPTION_MAX];
	struct socket *s;
	struct fd_ref ref;
	long error;

	error = user_socket_get(fd, &ref, &s);
	if (error != 0)
		return error;
	if ((int)bytes < 0) {
		fd_put(&ref);
		return -EINVAL;
	}
	bytes = (uint32_t)bytes < OPTION_MAX ? (uint32_t)bytes : OPTION_MAX;
	error = copy_from_user(buffer, user_addr(value), bytes);
	if (error == 0)
		error = socket_set_option(s, (int)level, (int)name, buffer, bytes);
	fd_put(&ref);
	return error;
}

long sys_getsockopt(uint64_t fd, uint64_t level, uint64_t name, uint64_t value, uint64_t bytes_at)
{
	uint8_t buffer[OPTION_MAX];
	struct socket *s;
	struct fd_ref ref;
	int32_t room;
	size_t bytes;
	long error = user_socket_get(fd, &ref, &s);

	if (error != 0)
		return error;
	error = copy_from_user(&room, user_addr(bytes_at), sizeof(room));
	if (error == 0 && room < 0)
		error = -EINVAL;
	if (error == 0) {
		bytes = (size_t)room < OPTION_MAX ? (size_t)room : OPTION_MAX;
		error = socket_get_option(s, (int)level, (int)name, buffer, &bytes);
	}
	fd_put(&ref);
	if (error != 0)
		return error;
	room = (int32_t)bytes;
	error = copy_to_user(user_addr(value), buffer, bytes);
	return error != 0 ? error : copy_to_user(user_addr(bytes_at), &room, sizeof(room));
}
