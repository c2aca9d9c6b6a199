/*
 * Resource limits that other rooms obey: getrlimit(2).
 */
#ifndef KERNEL_RLIMIT_H
#define KERNEL_RLIMIT_H

#include <stdint.h>

uint64_t rlimit_nofile(void); /* the soft limit: descriptors are below it */

#endif
