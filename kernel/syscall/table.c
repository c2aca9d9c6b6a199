/*
 * The table of system calls, indexed by number.
 */
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/prototypes.h"

/* A number that two entries claim is a duplicate member here. */
struct syscall_numbers_are_unique {
#define SYSCALL(number, name, argument_count, kinds) char number_##number;
#include "kernel/syscall/table.def"
#undef SYSCALL
	char end;
};

#define SYSCALL(number, name, argument_count, kinds)                                               \
	_Static_assert((number) < SYSCALL_TABLE_SIZE, "number of " #name);                         \
	_Static_assert(sizeof(kinds) - 1 == (argument_count), "argument kinds of " #name);
#include "kernel/syscall/table.def"
#undef SYSCALL

/* Callees with fewer parameters ignore the registers of the others (System V ABI). */
#define HANDLER(function) ((syscall_handler)(void (*)(void))(function))

#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

const syscall_handler syscall_handlers[SYSCALL_TABLE_SIZE] = {
	[0 ... SYSCALL_TABLE_SIZE - 1] = HANDLER(syscall_unimplemented),
#define SYSCALL(number, name, argument_count, kinds) [number] = HANDLER(sys_##name),
#include "kernel/syscall/table.def"
#undef SYSCALL
};

const struct syscall_description syscall_descriptions[SYSCALL_TABLE_SIZE] = {
#define SYSCALL(number, name, argument_count, kinds) [number] = {#name, kinds, argument_count},
#include "kernel/syscall/table.def"
#undef SYSCALL
};
