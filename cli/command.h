/* The subcommands of `burrow`: each gets the words after its name and returns the
 * exit status. Their help texts are what --help prints. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

struct command {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
	const char *help;
};

extern const struct command commands[]; /* ends with a name of NULL */

int run_main(int argc, char **argv);
int exec_main(int argc, char **argv);
int check_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int version_main(int argc, char **argv);
int help_main(int argc, char **argv);

extern const char run_help[];
extern const char exec_help[];
extern const char check_help[];
extern const char doctor_help[];
extern const char version_help[];
extern const char help_help[];

#endif
