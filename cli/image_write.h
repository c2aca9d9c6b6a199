/*
 * Writes built files: see abi/image.h. The same sources give the same bytes.
 */
#ifndef CLI_IMAGE_WRITE_H
#define CLI_IMAGE_WRITE_H

#include "lib/compiler.h"

struct image_bytes {
	const void *at;
	uint64_t bytes; /* 0: there is none */
};

struct image_sources {
	struct image_bytes manifest; /* text that passes manifest_check() */
	struct image_bytes monitor;  /* a static ELF executable without symbols */
	struct image_bytes kernel;   /* an ELF file as of abi/kernel_image.h */
	struct image_bytes program, sites, files, tree;
};

/* Writes to the empty file `fd`. Returns its size or -errno; -EINVAL when monitor or kernel
 * are not what they should be, -E2BIG when the manifest is too long. */
int64_t image_write(const struct image_sources *sources, int fd);

#endif
