/*
 * Turns PROGRAM, an executable file or a Go package, into a checked image.
 *
 * A package is built with the user's own `go` (static, linux/amd64) in a private
 * temporary directory, which is removed before the program runs: the image then
 * lives behind the descriptor only.
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "lib/elf.h"

struct program {
	char *name;      /* the program's path inside the VM */
	char *argument;  /* argv[0]: as given; for a package, its name */
	char *open_path; /* where to open it on the host: as given, or /proc/self/fd/N */
	int fd;
	const uint8_t *image; /* mapped read-only */
	uint64_t bytes;
	struct elf_program elf;
	bool is_built;
	bool trims_paths; /* set before: build without the names of directories */
};

/* Fails the command with one line when PROGRAM cannot run. */
void program_open(struct program *program, const char *word);

#endif
