/*
 * Reads a subcommand's flags: --name value, --name=value, or --name for switches.
 *
 * Flags end at the first word that is none, or at `--`. A flag may be given once
 * unless it is a list. Errors are reported and end the command.
 */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "host/alloc.h"

enum flag_kind {
	FLAG_SWITCH,        /* bool */
	FLAG_TEXT,          /* const char * */
	FLAG_LIST,          /* struct text_list */
	FLAG_OPTIONAL_TEXT, /* const char *: "" when given without =value */
};

struct flag {
	const char *name; /* with its dashes */
	enum flag_kind kind;
	void *target;
	const char *value_name; /* for messages: "SIZE" */
};

/* The table ends with a name of NULL. Returns the index in `argv` of the first word
 * that is no flag. --help (-h) prints `help` and exits. */
int flags_parse(const struct flag *flags, int argc, char **argv, const char *help);

/* The descriptor that --json[=FD] names; `text` "" means `otherwise`. */
int flags_json_descriptor(const char *text, int otherwise);

#endif
