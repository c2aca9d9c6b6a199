/*
 * The environment the program sees: the host's, as a process would, then what was given
 * over it. Left out, because they name things of the host that the VM does not have:
 * TMPDIR, OLDPWD. Set: PWD, and GOMEMLIMIT to 90 % of the VM's memory (unless it is
 * set already). Without the host's environment it starts from PATH, HOME=/ and these two.
 */
#ifndef HOST_ENVIRONMENT_H
#define HOST_ENVIRONMENT_H

#include "host/alloc.h"

struct environment_wish {
	char *const *host;                /* ends with NULL; NULL: nothing of the host */
	const struct text_list *given;    /* NAME=VALUE, wins; may be NULL */
	const struct text_list *defaults; /* NAME=VALUE, gives way; may be NULL */
	const char *working_directory;
	uint64_t memory_bytes;
};

/* Adds NAME=VALUE strings to *out, each NAME once. */
void environment_make(const struct environment_wish *wish, struct text_list *out);

#endif
