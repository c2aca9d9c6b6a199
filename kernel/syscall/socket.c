/*
 * Sockets do not exist before there is a network: creating one fails as on a kernel
 * built without them, and descriptors that do exist are not sockets.
 */
#include "kernel/fs/file.h"
#include "kernel/log.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/user_path.h"
#include "abi/linux/errno.h"

static long refuse(uint64_t family)
{
	static bool was_told;

	if (!was_told)
		log_verbose("the program asked for a socket of family %d: there is no network",
			(int)family);
	was_told = true;
	return -LINUX_EAFNOSUPPORT;
}

static long not_a_socket(uint64_t fd)
{
	struct file *file = user_file(fd);

	if (file == NULL)
		return -LINUX_EBADF;
	file_release(file);
	return -LINUX_ENOTSOCK;
}

long sys_socket(uint64_t a0, uint64_t a1, uint64_t a2)
{
	(void)a1, (void)a2;
	return refuse(a0);
}

long sys_socketpair(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	(void)a1, (void)a2, (void)a3;
	return refuse(a0);
}

#define NOT_A_SOCKET_2(name)                                                                       \
	long sys_##name(uint64_t a0, uint64_t a1)                                                  \
	{                                                                                          \
		(void)a1;                                                                          \
		return not_a_socket(a0);                                                           \
	}
#define NOT_A_SOCKET_3(name)                                                                       \
	long sys_##name(uint64_t a0, uint64_t a1, uint64_t a2)                                     \
	{                                                                                          \
		(void)a1, (void)a2;                                                                \
		return not_a_socket(a0);                                                           \
	}
#define NOT_A_SOCKET_4(name)                                                                       \
	long sys_##name(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)                        \
	{                                                                                          \
		(void)a1, (void)a2, (void)a3;                                                      \
		return not_a_socket(a0);                                                           \
	}
#define NOT_A_SOCKET_5(name)                                                                       \
	long sys_##name(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)           \
	{                                                                                          \
		(void)a1, (void)a2, (void)a3, (void)a4;                                            \
		return not_a_socket(a0);                                                           \
	}
#define NOT_A_SOCKET_6(name)                                                                       \
	long sys_##name(                                                                           \
		uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)      \
	{                                                                                          \
		(void)a1, (void)a2, (void)a3, (void)a4, (void)a5;                                  \
		return not_a_socket(a0);                                                           \
	}

NOT_A_SOCKET_3(connect)
NOT_A_SOCKET_3(accept)
NOT_A_SOCKET_4(accept4)
NOT_A_SOCKET_6(sendto)
NOT_A_SOCKET_6(recvfrom)
NOT_A_SOCKET_3(sendmsg)
NOT_A_SOCKET_3(recvmsg)
NOT_A_SOCKET_5(recvmmsg)
NOT_A_SOCKET_4(sendmmsg)
NOT_A_SOCKET_2(shutdown)
NOT_A_SOCKET_3(bind)
NOT_A_SOCKET_2(listen)
NOT_A_SOCKET_3(getsockname)
NOT_A_SOCKET_3(getpeername)
NOT_A_SOCKET_5(setsockopt)
NOT_A_SOCKET_5(getsockopt)
