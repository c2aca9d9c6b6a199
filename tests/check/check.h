/*
 * For self-checking test programs in C: a failed check says what was seen and
 * ends the program with status 1; ok() prints the one line that the runner expects.
 */
#ifndef TESTS_CHECK_CHECK_H
#define TESTS_CHECK_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition,  \
				errno);                                                            \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_EQUAL(actual, expected)                                                              \
	do {                                                                                       \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected);        \
		if (actual_ != expected_) {                                                        \
			fprintf(stderr, "%s:%d: %s is %lld (%#llx), expected %lld, errno %d\n",    \
				__FILE__, __LINE__, #actual, actual_, actual_, expected_, errno);  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* The call must fail with exactly this errno. */
#define CHECK_ERRNO(call, expected)                                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		long long result_ = (long long)(call);                                             \
		if (result_ != -1 || errno != (expected)) {                                        \
			fprintf(stderr, "%s:%d: %s gave %lld, errno %d, expected errno %d\n",      \
				__FILE__, __LINE__, #call, result_, errno, expected);              \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static inline int ok(void)
{
	puts("ok");
	return 0;
}

#endif
