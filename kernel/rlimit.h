/*
 * Resource limits that other rooms obey: getrlimit(2).
 */
#ifndef KERNEL_RLIMIT_H
#define KERNEL_RLIMIT_H

#include <stdint.h>

uint64_t rlimit_nofile(void); /* the soft limit: descriptors are below it */

/* How large a regular file may become (UINT64_MAX: as it likes), and what happens to the
 * current thread when it wants more: SIGXFSZ. The call then fails with -EFBIG. */
uint64_t rlimit_file_bytes(void);
void rlimit_file_exceeded(void);

#endif
