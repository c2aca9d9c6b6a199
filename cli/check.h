/*
 * What a program will want of its VM, told from the file alone, for `burrow check` and for
 * warnings of `burrow build`.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "cli/program.h"
#include "lib/go_binary.h"

enum check_kind {
	CHECK_WANTS, /* something that the user has to give */
	CHECK_FAILS, /* a call that will fail, if the program makes it */
};

struct check_finding {
	enum check_kind kind;
	const char *subject;     /* "processes" */
	const char *text;        /* what it means, and what to do */
	struct go_text function; /* by which it was noticed */
};

#define CHECK_FINDINGS_MAX 64

struct check {
	bool is_go;
	struct go_binary go;
	size_t sites; /* system call instructions that become calls */
	size_t count, fails;
	struct check_finding findings[CHECK_FINDINGS_MAX];
};

/* `program` from program_open(), which has refused what cannot run at all. */
void check_program(const struct program *program, struct check *check);

#endif
