/*
 * Keeps a thread, and those that it starts, to one directory: landlock(7).
 */
#ifndef MONITOR_FS_CONFINE_H
#define MONITOR_FS_CONFINE_H

#include "lib/compiler.h"

/* Files outside of the directory cannot be opened, made or removed any more, and no devices made
 * inside. False: the host's kernel has no landlock; fs_server.h keeps to the directory anyway. */
bool fs_confine(int root_fd, bool read_only);

#endif
