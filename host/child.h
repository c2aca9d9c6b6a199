/* Starts other programs and waits for them. */
#ifndef HOST_CHILD_H
#define HOST_CHILD_H

#include "host/alloc.h"

/* Path of an executable `name` in $PATH, or NULL. */
char *child_find(const char *name);

/*
 * Runs argv[0] (a path) in `directory` (NULL: here) with `environment` added to ours
 * and waits. Its stdout goes to
 * our stderr, or into *output (first 64 KiB, NUL-terminated, stderr then too) when that
 * is not NULL. Returns the exit status, 128 + n for a signal, or -errno.
 */
int child_run(char **argv, char **environment, const char *directory, char **output);

#endif
