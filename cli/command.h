/* The subcommands of `burrow`: each gets the words after its name and returns the
 * exit status. Their help texts are what --help prints. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

struct command {
	const char *name;
	const char *summary; /* NULL: called by other programs only, not listed */
	int (*main)(int argc, char **argv);
	const char *help;
};

extern const struct command commands[]; /* ends with a name of NULL */

int run_main(int argc, char **argv);
int exec_main(int argc, char **argv);
int build_main(int argc, char **argv);
int check_main(int argc, char **argv);
int go_main(int argc, char **argv);
int env_main(int argc, char **argv);
int toolexec_main(int argc, char **argv);
int ps_main(int argc, char **argv);
int logs_main(int argc, char **argv);
int stop_main(int argc, char **argv);
int rm_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int image_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int volume_main(int argc, char **argv);
int version_main(int argc, char **argv);
int help_main(int argc, char **argv);

extern const char run_help[];
extern const char exec_help[];
extern const char build_help[];
extern const char check_help[];
extern const char go_help[];
extern const char env_help[];
extern const char toolexec_help[];
extern const char ps_help[];
extern const char logs_help[];
extern const char stop_help[];
extern const char rm_help[];
extern const char stats_help[];
extern const char image_help[];
extern const char doctor_help[];
extern const char volume_help[];
extern const char version_help[];
extern const char help_help[];

#endif
