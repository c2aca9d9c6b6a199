/*
 * Paths from the program.
 */
#ifndef KERNEL_SYSCALL_USER_PATH_H
#define KERNEL_SYSCALL_USER_PATH_H

#include "lib/compiler.h"

struct user_path {
	char *text;
	char small[240]; /* most paths: no allocation */
};

/* Copies in the path. -EFAULT, -ENAMETOOLONG, -ENOMEM: nothing to release. */
MUST_CHECK int user_path_get(struct user_path *path, uint64_t address);
void user_path_put(struct user_path *path);

struct file;
/* The file of a descriptor, with a reference; NULL: -EBADF. Not those of O_PATH. */
struct file *user_file(uint64_t fd);

#endif
