/*
 * What a Go program says of itself: version, modules, and the functions linked in.
 *
 * Go's linker leaves out what cannot be reached, so a function that is named here may be
 * called. Pure, as lib/elf.h. Sources: debug/buildinfo and debug/gosym of Go's library.
 */
#ifndef LIB_GO_BINARY_H
#define LIB_GO_BINARY_H

#include "lib/elf.h"

/* Bytes in the image, not terminated; {NULL, 0}: not there. */
struct go_text {
	const char *at;
	size_t bytes;
};

struct go_binary {
	struct go_text version; /* "go1.26.1" */
	/* Lines "path\t…", "mod\tPATH\tVERSION\tSUM", "dep\t…", "=>\t…" (replaces the line
	 * before) and "build\tKEY=VALUE", as `go version -m` shows them. */
	struct go_text modules;
	/* Names of functions, each ending in NUL, from the line table (Go 1.16 and later). */
	struct go_text functions;
};

/* `program` comes from elf_check() of the same image. False: no build information, so
 * it is not Go's or was built in another way; *out is empty then. */
bool go_binary_read(const uint8_t *image, uint64_t bytes, const struct elf_program *program,
	struct go_binary *out);

/* The next line of `text` (without its end) or the next name of `functions`, up to
 * `separator`; false at the end. *position starts as 0. */
bool go_text_next(struct go_text text, char separator, size_t *position, struct go_text *item);

/* The value of `build\tKEY=VALUE`; {NULL, 0} without one. */
struct go_text go_binary_setting(const struct go_binary *binary, const char *key);

bool go_text_is(struct go_text text, const char *wanted);
bool go_text_starts_with(struct go_text text, const char *start);

#endif
