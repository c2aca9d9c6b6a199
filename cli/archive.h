/* The cpio archive that --files names: unpacked over the VM's root at boot. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include "lib/compiler.h"

/* Checks the archive and returns its descriptor (kept over exec). Fails the command if it is
 * none, is damaged, or is larger than the limit. */
int archive_open(const char *path, uint64_t limit_bytes);

#endif
