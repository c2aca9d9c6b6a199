/* The common part of run and exec: from understood options to the exit status. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/file_images.h"
#include "cli/options.h"
#include "cli/program.h"

/* Returns the status for the shell. */
int session_run(struct options *options, const struct program *program,
	const char *working_directory, const struct file_images *files);

#endif
