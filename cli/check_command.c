/* `burrow check`: what a program will want, and what will fail, before it runs. */
#include <stdio.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "host/json.h"
#include "host/report.h"

const char check_help[] =
	"usage: burrow check [--strict] [--json[=FD]] PROGRAM\n"
	"\n"
	"Says what PROGRAM, an executable or a Go package, will want of its VM, and which of\n"
	"its calls would fail there, from what is linked into it. Nothing runs.\n"
	"\n"
	"  --strict      status 1 if something may fail\n"
	"  --json[=FD]   one JSON object on stdout, or on FD\n"
	"  --help, -h    this text\n"
	"\n"
	"Status: 0: it can run; 126: it cannot; 127: no such PROGRAM.\n";

static const char *kind_text(enum check_kind kind)
{
	return kind == CHECK_FAILS ? "fails" : "wants";
}

/* The field after the tab of the first line that starts with `start`: "path\t". */
static struct go_text module_line(const struct go_binary *go, const char *start, size_t skip)
{
	size_t position = 0;
	struct go_text line;

	while (go_text_next(go->modules, '\n', &position, &line)) {
		if (go_text_starts_with(line, start))
			return (struct go_text){line.at + skip, line.bytes - skip};
	}
	return (struct go_text){0};
}

static size_t count_dependencies(const struct go_binary *go)
{
	size_t position = 0, count = 0;
	struct go_text line;

	while (go_text_next(go->modules, '\n', &position, &line))
		count += go_text_starts_with(line, "dep\t");
	return count;
}

static void print_text(const struct program *program, const struct check *check)
{
	struct go_text path = module_line(&check->go, "path\t", 5);
	struct go_text version = check->go.version;

	printf("%s: ", program->argument);
	if (check->is_go)
		printf("%.*s, package %.*s, %zu modules beside its own\n", (int)version.bytes,
			version.at, (int)path.bytes, path.at, count_dependencies(&check->go));
	else
		puts("a static program that is not Go's: its calls are not foreseen");
	if (check->sites != 0)
		printf("  ok     system calls: %zu places become plain calls\n", check->sites);
	for (size_t i = 0; i < check->count; i++) {
		const struct check_finding *finding = &check->findings[i];

		printf("  %s  %s: %s (%.*s)\n", kind_text(finding->kind), finding->subject,
			finding->text, (int)finding->function.bytes, finding->function.at);
	}
	if (check->fails != 0)
		printf("It can run; %zu %s may fail.\n", check->fails,
			check->fails == 1 ? "thing" : "things");
	else
		puts("It can run; nothing is known that would fail.");
}

static void print_json(const struct program *program, const struct check *check, int fd)
{
	struct go_text version = check->go.version, path = module_line(&check->go, "path\t", 5);
	struct json json;

	json_open(&json, fd);
	json_text(&json, "program", program->argument);
	json_bool(&json, "go", check->is_go);
	if (check->is_go) {
		json_text(&json, "go_version", alloc_text("%.*s", (int)version.bytes, version.at));
		json_text(&json, "package", alloc_text("%.*s", (int)path.bytes, path.at));
	}
	json_number(&json, "syscall_sites", (int64_t)check->sites);
	json_array_open(&json, "findings");
	for (size_t i = 0; i < check->count; i++) {
		const struct check_finding *finding = &check->findings[i];

		json_element_open(&json);
		json_text(&json, "kind", kind_text(finding->kind));
		json_text(&json, "subject", finding->subject);
		json_text(&json, "text", finding->text);
		json_text(&json, "function",
			alloc_text("%.*s", (int)finding->function.bytes, finding->function.at));
		json_element_close(&json);
	}
	json_array_close(&json);
	json_close(&json);
}

int check_main(int argc, char **argv)
{
	bool is_strict = false;
	const char *json_text = NULL;
	const struct flag flags[] = {{"--strict", FLAG_SWITCH, &is_strict, NULL},
		{"--json", FLAG_OPTIONAL_TEXT, &json_text, "FD"}, {NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, check_help);
	struct program *program = alloc_zeroed(sizeof(*program));
	struct check *check = alloc_zeroed(sizeof(*check));
	int json_fd = -1;

	if (json_text != NULL) {
		json_fd = flags_json_descriptor(json_text, STDOUT_FILENO);
		report_set_json(json_fd);
	}
	if (first == argc)
		report_fail(STATUS_TOOL_FAILED, "no PROGRAM given; try `burrow check --help`");
	if (first + 1 < argc)
		report_fail(STATUS_TOOL_FAILED, "%s: one PROGRAM at a time", argv[first + 1]);
	program_open(program, argv[first]);
	check_program(program, check);
	if (json_fd >= 0)
		print_json(program, check, json_fd);
	else
		print_text(program, check);
	if (is_strict && check->fails != 0) {
		report_finish_output();
		return 1;
	}
	return report_finish_output();
}
