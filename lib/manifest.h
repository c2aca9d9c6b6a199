/*
 * The manifest of a built file: what the program needs, and what it is given unless whoever
 * starts it says otherwise.
 *
 *     burrow manifest 1
 *     mem=512M
 *     env=LANG=C
 *     net=eth0=passt
 *
 * Text, one key=value a line, in the order in which values were given; the line after the
 * first may be the last. A value holds any byte but NUL; newline is written \n, backslash \\.
 * Keys that a reader does not know make the file unusable for it, unless they begin with
 * "build.": these tell where the file came from. Pure.
 */
#ifndef LIB_MANIFEST_H
#define LIB_MANIFEST_H

#include "lib/compiler.h"

#define MANIFEST_FIRST_LINE "burrow manifest 1\n"

enum manifest_key {
	MANIFEST_UNKNOWN,
	MANIFEST_BUILD,   /* build.NAME: of the program and its makers */
	MANIFEST_PROGRAM, /* path and argv[0] where no launcher gives any */
	MANIFEST_MEM,     /* 512M */
	MANIFEST_CPUS,    /* 2 */
	MANIFEST_ARG,     /* used when no arguments are given; each argument has a line */
	MANIFEST_ENV,     /* NAME=VALUE, unless the name is set */
	MANIFEST_CWD,     /* absolute path in the VM */
	MANIFEST_HOSTNAME,
	MANIFEST_NET, /* NAME: needed; NAME=BACKEND: by default */
	MANIFEST_IP,  /* as --ip, --mac */
	MANIFEST_MAC,
	MANIFEST_PORT, /* as -p */
	MANIFEST_DISK, /* as --disk; NAME:MODE without a file: needed */
	MANIFEST_VOLUME,
	MANIFEST_KEY_COUNT
};

/* Bytes in the manifest, escaped, not terminated. */
struct manifest_entry {
	enum manifest_key key;
	const char *name; /* the key as written */
	size_t name_bytes;
	const char *value;
	size_t value_bytes;
};

/* 0 for a good manifest; else the number of the first line that is not (1 is the first). A
 * line of an unknown key is not good. */
size_t manifest_check(const char *text, size_t bytes);

/* The next entry; false at the end. *position starts as 0. The text passed the check. */
bool manifest_next(const char *text, size_t bytes, size_t *position, struct manifest_entry *entry);

/* Writes the value with its escapes undone and a NUL if `out` is not NULL, whose room is
 * value_bytes + 1. Returns its length without the NUL. */
size_t manifest_value(const struct manifest_entry *entry, char *out);

/* "mem" for MANIFEST_MEM. */
const char *manifest_key_name(enum manifest_key key);

#endif
