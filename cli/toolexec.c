/*
 * `burrow toolexec`: what `go build -toolexec` calls for each tool of the toolchain.
 *
 * All tools run as they are; what the linker wrote, if it is an executable and no test, is
 * then turned into a file that is its own VM. Go takes the tools' versions into the names
 * under which it keeps results, so the linker's says which Burrow follows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/install.h"
#include "host/child.h"
#include "host/report.h"

const char toolexec_help[] =
	"usage: go build -toolexec 'burrow toolexec' …\n\n"
	"Links what `go build` makes into a file that runs as a VM; burrow go\n"
	"and burrow env set this.\n";

static _Noreturn void become(char **argv)
{
	execv(argv[0], argv);
	report_fail(STATUS_TOOL_FAILED, "cannot start %s: %s", argv[0], strerror(errno));
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* ---- which Burrow ------------------------------------------------------------- */

/* FNV-1a of a file's bytes, on top of `hash`; a file that is not there changes nothing. */
static uint64_t hash_file(const char *path, uint64_t hash)
{
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat status;
	const uint8_t *at;

	if (fd < 0)
		return hash;
	if (fstat(fd, &status) == 0 && status.st_size > 0 &&
		(at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) !=
			MAP_FAILED) {
		for (off_t i = 0; i < status.st_size; i++)
			hash = (hash ^ at[i]) * 0x100000001b3;
	}
	close(fd);
	return hash;
}

static int print_version(char **argv)
{
	static const char *const parts[] = {"burrow-monitor", "kernel.elf"};
	const char *flags = getenv("BURROW_BUILDFLAGS");
	uint64_t hash = hash_file("/proc/self/exe", 0xcbf29ce484222325);
	char *output;
	int status = child_run(argv, NULL, NULL, &output);

	if (status != 0) {
		fputs(output, stderr);
		return status < 0 ? STATUS_TOOL_FAILED : status;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		hash = hash_file(install_find(parts[i]), hash);
	for (; flags != NULL && *flags != 0; flags++)
		hash = (hash ^ (uint8_t)*flags) * 0x100000001b3;
	output[strcspn(output, "\n")] = 0;
	printf("%s burrow=%016jx\n", output, (uintmax_t)hash);
	return report_finish_output();
}

/* ---- after the linker ------------------------------------------------------------ */

/* Words separated by blanks, without quotes, as in GOFLAGS before Go 1.18. */
static void add_words(struct text_list *list, const char *text)
{
	while (text != NULL && *text != 0) {
		size_t length = strcspn(text, " \t\n");

		if (length != 0)
			text_list_add(list, alloc_text("%.*s", (int)length, text));
		text += length + strspn(text + length, " \t\n");
	}
}

static int make_vm(char *program)
{
	char *self = alloc_text("/proc/self/exe"), *output = alloc_text("%s.vm", program);
	struct text_list words = {0};
	int status;

	text_list_add(&words, self);
	text_list_add(&words, alloc_text("build"));
	add_words(&words, getenv("BURROW_BUILDFLAGS"));
	text_list_add(&words, alloc_text("-o"));
	text_list_add(&words, output);
	text_list_add(&words, program);
	status = child_run(words.items, NULL, NULL, NULL);
	if (status == 0 && rename(output, program) != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", program, strerror(errno));
	return status < 0 ? STATUS_TOOL_FAILED : status;
}

/* The file after -o; NULL if this link makes no executable. */
static char *linked_program(char **argv)
{
	char *output = NULL;

	for (; *argv != NULL; argv++) {
		if (strcmp(*argv, "-o") == 0 && argv[1] != NULL)
			output = argv[1];
		if (strncmp(*argv, "-buildmode=", 11) == 0 && strcmp(*argv + 11, "exe") != 0 &&
			strcmp(*argv + 11, "pie") != 0)
			return NULL;
	}
	return output != NULL && !ends_with(output, ".test") ? output : NULL;
}

int toolexec_main(int argc, char **argv)
{
	char *program;
	int status;

	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		fputs(toolexec_help, argc == 0 ? stderr : stdout);
		return argc == 0 ? STATUS_TOOL_FAILED : report_finish_output();
	}
	if (!ends_with(argv[0], "/link"))
		become(argv);
	if (argc == 2 && strcmp(argv[1], "-V=full") == 0)
		return print_version(argv);
	program = linked_program(argv);
	if (program == NULL)
		become(argv);
	status = child_run(argv, NULL, NULL, NULL);
	if (status != 0)
		return status < 0 ? STATUS_TOOL_FAILED : status;
	return make_vm(program);
}
