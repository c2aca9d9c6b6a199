/*
 * What the differential test runs on: chosen by the list of files it is built from. The memory
 * file system (test_mount_memory.c), or the toy on storage (test_mount_toy.c).
 */
#ifndef ARCH_HOST_TEST_MOUNT_H
#define ARCH_HOST_TEST_MOUNT_H

#include "lib/compiler.h"

/* Whether st_blocks is what tmpfs says; what is allocated when is up to a file system. */
extern const bool test_mount_counts_blocks;

/* Bits of modes that are kept as they are given. */
extern const unsigned test_mount_modes;

/* All that tmpfs offers: attributes of the trusted namespace, O_TMPFILE. */
extern const bool test_mount_is_whole;

/* Makes the directory; nothing of it is open or current when it goes. */
void test_mount_start(const char *path);
void test_mount_finish(void);
/* Between two steps: what must make no difference, by a random number. */
void test_mount_shake(unsigned random);

#endif
