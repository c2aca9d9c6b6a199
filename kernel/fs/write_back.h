/*
 * Write-back: what is dirty goes to storage when it is five seconds old, when there is much of
 * it, or when somebody asks.
 *
 * Dirty nodes are queued, with a reference, in the order in which they became dirty.
 * write_back.lock (rank 51) guards the queue and storage_node.state.
 */
#ifndef KERNEL_FS_WRITE_BACK_H
#define KERNEL_FS_WRITE_BACK_H

#include "kernel/fs/storage_node.h"

/* Starts the threads of write-back and reclaim, once; with the first mount. -ENOMEM. */
int write_back_start(void);

/* The node has dirty pages: they will be written. */
void write_back_queue(struct storage_node *node);
/* Calls write_attributes if it is due, or is being called. */
int write_back_attributes(struct storage_node *node, bool data_only);
/* Everything dirty of `fs` (NULL: of all); `wait` until it is written. First error. */
int write_back_all(struct file_system *fs, bool wait);
/* What became dirty before `before_ns`. */
void write_back_old(uint64_t before_ns);
/* A clean node leaves the queue. */
void write_back_settle(struct storage_node *node);

/* For writers, before they take locks: sleeps while too much is dirty. */
void write_back_throttle(void);
/* Asks the thread to write all that it can. Any context. */
void write_back_hurry(void);

#endif
