/*
 * Packs files of the host into one cpio archive in memory, for the VM's root.
 *
 * Regular files, directories and symbolic links are packed, owned by root; what a VM
 * cannot have (sockets, devices, pipes) is left out with a note. Directories above a
 * packed path are made. The size of the archive is bounded.
 */
#ifndef CLI_PACK_H
#define CLI_PACK_H

#include "host/alloc.h"
#include "cli/cpio.h"

struct pack {
	struct cpio_writer writer;
	uint64_t limit_bytes;
	bool verbose;
	struct text_list directories; /* already in the archive */
	int fd;
};

/* Every function fails the command when it cannot do its work. */
void pack_open(struct pack *pack, uint64_t limit_bytes, bool verbose);
/* The entries of an archive file first: what comes later overwrites. */
void pack_archive(struct pack *pack, const char *path);
/* An empty directory and those above it. */
void pack_directory(struct pack *pack, const char *guest);
/* The file or directory tree `host` as `guest` (an absolute path). */
void pack_tree(struct pack *pack, const char *host, const char *guest);
/* "HOST[:GUEST]"; GUEST defaults to the absolute path of HOST. */
void pack_argument(struct pack *pack, const char *argument);
/* Returns the descriptor of the archive (kept over exec). */
int pack_close(struct pack *pack);

#endif
