/* Writes the bundle of abi/bundle.h: what a PVH loader takes as initial ramdisk. */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include "abi/bundle.h"
#include "host/alloc.h"

struct bundle_module {
	enum boot_module_type type;
	const void *data;
	uint64_t bytes;
};

/* The header's fields for flags, time, seed, streams, terminal and host name are filled by
 * the caller; the rest (magic, strings, modules, interfaces, disks) by bundle_write(). */
struct bundle {
	struct bundle_header header;
	const char *path; /* of the program, as the program sees it */
	const struct text_list *arguments;
	const struct text_list *environment;
	const char *working_directory;
	struct bundle_module modules[BOOT_MAX_MODULES];
	uint32_t module_count;
	const struct boot_interface *interfaces;
	uint32_t interface_count;
	const struct boot_disk *disks;
	uint32_t disk_count;
};

/* Writes to `fd` from its start. Returns the size, or -errno. */
int64_t bundle_write(struct bundle *bundle, int fd);

#endif
