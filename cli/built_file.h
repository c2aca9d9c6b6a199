/*
 * A built file (abi/image.h) as the PROGRAM of run, exec and check: its program is run by the
 * installed monitor, with what its manifest says unless flags say otherwise.
 */
#ifndef CLI_BUILT_FILE_H
#define CLI_BUILT_FILE_H

#include "abi/image.h"
#include "cli/options.h"

struct built_file {
	const uint8_t *file; /* mapped; NULL: it is no built file */
	const struct image_header *header;
};

/* Maps the file if it is a built one; fails the command if it is, but damaged or of another
 * release. What cannot be opened is none. */
void built_file_open(struct built_file *built, const char *path);

/* A file in memory with this part, or -1 if there is none; `name` is for /proc. */
int built_file_part(const struct built_file *built, enum image_part_type type, const char *name);

/* Fills in what the flags left open. Before the options are understood. */
void built_file_add_manifest(const struct built_file *built, struct options *options);

#endif
