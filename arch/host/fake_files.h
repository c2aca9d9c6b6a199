/*
 * Open files without a tree or a table of descriptors, for host unit tests of the kinds
 * of file in kernel/fs/ (pipes, epoll...). Implements file_create, file_acquire,
 * file_release and fd_get. A released file forgets its epoll registrations first.
 */
#ifndef ARCH_HOST_FAKE_FILES_H
#define ARCH_HOST_FAKE_FILES_H

#include "kernel/fs/file.h"

#define FAKE_FILES_MAX 256

/* Makes fd_get(fd) find the file (NULL: nothing); the caller keeps its reference. */
void fake_fd_set(int fd, struct file *file);
/* read and write on a file with kernel buffers; offsets are ignored. */
long fake_file_read(struct file *file, void *buffer, size_t bytes);
long fake_file_write(struct file *file, const void *buffer, size_t bytes);
/* Files that exist. */
int fake_files_live(void);

#endif
