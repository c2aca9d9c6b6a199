/*
 * For differential tests: every call is printed with its result, so that a run on
 * Linux and a run in a VM can be compared line by line. Only raw system calls: the
 * library must not change what is asked. Nothing that differs from host to host may
 * be printed: no addresses, times, process ids, inode numbers; nor what Linux itself has
 * changed in recent years.
 */
#ifndef TESTS_CHECK_TRACE_H
#define TESTS_CHECK_TRACE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the starter left open would change the numbers of new descriptors. */
__attribute__((constructor)) static void close_inherited(void)
{
	for (int fd = 3; fd < 256; fd++)
		close(fd);
}

static inline const char *error_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
#define NAME(error) {error, #error}
		NAME(EPERM),
		NAME(ENOENT),
		NAME(ESRCH),
		NAME(EINTR),
		NAME(EIO),
		NAME(ENXIO),
		NAME(E2BIG),
		NAME(ENOEXEC),
		NAME(EBADF),
		NAME(ECHILD),
		NAME(EAGAIN),
		NAME(ENOMEM),
		NAME(EACCES),
		NAME(EFAULT),
		NAME(ENOTBLK),
		NAME(EBUSY),
		NAME(EEXIST),
		NAME(EXDEV),
		NAME(ENODEV),
		NAME(ENOTDIR),
		NAME(EISDIR),
		NAME(EINVAL),
		NAME(ENFILE),
		NAME(EMFILE),
		NAME(ENOTTY),
		NAME(ETXTBSY),
		NAME(EFBIG),
		NAME(ENOSPC),
		NAME(ESPIPE),
		NAME(EROFS),
		NAME(EMLINK),
		NAME(EPIPE),
		NAME(EDOM),
		NAME(ERANGE),
		NAME(EDEADLK),
		NAME(ENAMETOOLONG),
		NAME(ENOLCK),
		NAME(ENOSYS),
		NAME(ENOTEMPTY),
		NAME(ELOOP),
		NAME(ENODATA),
		NAME(EOVERFLOW),
		NAME(EOPNOTSUPP),
		NAME(ENOTSOCK),
		NAME(ETIMEDOUT),
		NAME(EDESTADDRREQ),
		NAME(ENOTCONN),
		NAME(EISCONN),
		NAME(EADDRINUSE),
		NAME(ECONNREFUSED),
		NAME(ECONNRESET),
		NAME(ECONNABORTED),
		NAME(EPROTOTYPE),
		NAME(EPROTONOSUPPORT),
		NAME(ESOCKTNOSUPPORT),
		NAME(EAFNOSUPPORT),
		NAME(EMSGSIZE),
		NAME(ENOPROTOOPT),
		NAME(EADDRNOTAVAIL),
		NAME(ENETUNREACH),
		NAME(EHOSTUNREACH),
		NAME(EINPROGRESS),
		NAME(EALREADY),
		NAME(ENOBUFS),
		NAME(EDOM),
#undef NAME
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number)
			return names[i].name;
	return "another error";
}

/* Prints "name = result". */
static inline long trace(const char *name, long result)
{
	if (result == -1)
		printf("%s = %s\n", name, error_name(errno));
	else
		printf("%s = %ld\n", name, result);
	return result;
}

/* The same where the value itself differs from host to host. */
static inline long trace_success(const char *name, long result)
{
	printf("%s = %s\n", name, result == -1 ? error_name(errno) : "well");
	return result;
}

#define TRY(call)         trace(#call, (long)(call))
#define TRY_SUCCESS(call) trace_success(#call, (long)(call))
#define ROWS(array)       (sizeof(array) / sizeof((array)[0]))

#endif
