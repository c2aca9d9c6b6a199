/*
 * The environment the program sees: the host's, as a process would, then --env over
 * it. Left out, because they name things of the host that the VM does not have:
 * TMPDIR, OLDPWD. Set: PWD, and GOMEMLIMIT to 90 % of the VM's memory (unless it is
 * set already). --clean-env starts from PATH, HOME=/ and these two only.
 */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include "cli/options.h"

/* Adds NAME=VALUE strings to *out, each NAME once. `host` ends with NULL. */
void environment_make(const struct options *options, char *const *host,
	const char *working_directory, struct text_list *out);

#endif
