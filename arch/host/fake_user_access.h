/*
 * The program's memory in host unit tests is the test's own memory, less the
 * ranges a test forbids (and page zero).
 */
#ifndef ARCH_HOST_FAKE_USER_ACCESS_H
#define ARCH_HOST_FAKE_USER_ACCESS_H

#include "kernel/mm/user_access.h"

/* Accesses to [address, +bytes) fault from now on; one range, 0 bytes lifts it. */
void fake_user_forbid(uintptr_t address, size_t bytes);

#endif
