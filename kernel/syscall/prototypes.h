/*
 * Declares sys_NAME for every call of every subject, from the same .def files that
 * fill the table: a definition that disagrees with its entry does not compile.
 */
#ifndef KERNEL_SYSCALL_PROTOTYPES_H
#define KERNEL_SYSCALL_PROTOTYPES_H

#include <stdint.h>

#define SYSCALL_PARAMETERS_0 void
#define SYSCALL_PARAMETERS_1 uint64_t a0
#define SYSCALL_PARAMETERS_2 SYSCALL_PARAMETERS_1, uint64_t a1
#define SYSCALL_PARAMETERS_3 SYSCALL_PARAMETERS_2, uint64_t a2
#define SYSCALL_PARAMETERS_4 SYSCALL_PARAMETERS_3, uint64_t a3
#define SYSCALL_PARAMETERS_5 SYSCALL_PARAMETERS_4, uint64_t a4
#define SYSCALL_PARAMETERS_6 SYSCALL_PARAMETERS_5, uint64_t a5

#define SYSCALL(number, name, argument_count, kinds)                                               \
	long sys_##name(SYSCALL_PARAMETERS_##argument_count);
#include "kernel/syscall/table.def"
#undef SYSCALL

#endif
