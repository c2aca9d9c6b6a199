/*
 * Texts of /proc/1 and /proc/1/task/N. The argument is the thread's id, or NULL.
 */
#ifndef KERNEL_FS_PROC_TEXT_H
#define KERNEL_FS_PROC_TEXT_H

#include "lib/compiler.h"

long proc_write_comm(char *buffer, size_t capacity, void *argument);
long proc_write_status(char *buffer, size_t capacity, void *argument);
long proc_write_stat(char *buffer, size_t capacity, void *argument);
long proc_write_nothing(char *buffer, size_t capacity, void *argument);

#endif
