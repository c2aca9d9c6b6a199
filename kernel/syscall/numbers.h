/* Numbers of the system calls that other code than the table must know. */
#ifndef KERNEL_SYSCALL_NUMBERS_H
#define KERNEL_SYSCALL_NUMBERS_H

enum syscall_number {
	SYSCALL_RT_SIGRETURN = 15,
	SYSCALL_EXIT = 60,
	SYSCALL_RESTART_SYSCALL = 219,
	SYSCALL_EXIT_GROUP = 231,
};

#endif
