/*
 * Files whose text is made when they are opened: most of /proc and /sys.
 */
#ifndef KERNEL_FS_TEXT_NODE_H
#define KERNEL_FS_TEXT_NODE_H

#include "kernel/fs/vfs.h"

/* For text that grows with the machine: appends, and remembers that it did not fit. */
struct text_buffer {
	char *buffer;
	size_t capacity;
	size_t length; /* what would be there without limit */
};

void text_append(struct text_buffer *text, const char *format, ...) PRINTF_LIKE(2, 3);

struct text_node {
	text_generator generate;
	void *argument;
	/* Takes what is written to the file. NULL: it cannot be. */
	int (*store)(const char *buffer, size_t bytes, void *argument);
};

/* A node (mode 0444, or 0644 with store); `node` stays valid. NULL: no memory. */
struct vnode *text_node_create(struct file_system *fs, const struct text_node *node);
/* The same, for text that belongs to the node. */
struct vnode *text_node_create_owned(
	struct file_system *fs, text_generator generate, void *argument);
int text_node_add(const char *path, const struct text_node *node);

#endif
