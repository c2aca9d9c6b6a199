/* `burrow run` of a file that `burrow build` made. */
#ifndef CLI_RUN_BUILT_H
#define CLI_RUN_BUILT_H

#include "cli/options.h"

/*
 * If options->program is a built file, becomes it: the flags go to it as variables of its
 * environment (burrow-build(1)). Returns if it is none. Fails the command if a flag cannot be
 * obeyed.
 */
void run_built(const struct options *options);

#endif
