/* Reads flags: see cli/flags.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flags.h"
#include "host/report.h"

/* Number of edits from `a` to `b`, for "did you mean"; both short. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t length = strlen(b);

	if (length >= ARRAY_SIZE(row))
		return 99;
	for (unsigned j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != 0; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[length];
}

static _Noreturn void fail_unknown(const struct flag *flags, const char *word)
{
	const char *best = NULL;
	unsigned best_distance = 3;

	for (; flags->name != NULL; flags++) {
		unsigned distance = edit_distance(word, flags->name);

		if (distance < best_distance) {
			best_distance = distance;
			best = flags->name;
		}
	}
	if (best != NULL)
		report_fail(STATUS_TOOL_FAILED, "unknown flag %s; did you mean %s?", word, best);
	report_fail(STATUS_TOOL_FAILED, "unknown flag %s; --help lists the flags", word);
}

static const struct flag *find_flag(const struct flag *flags, const char *word, size_t length)
{
	for (; flags->name != NULL; flags++) {
		if (strlen(flags->name) == length && memcmp(flags->name, word, length) == 0)
			return flags;
	}
	return NULL;
}

static void set_text(const struct flag *flag, char *value)
{
	const char **target = flag->target;

	if (*target != NULL)
		report_fail(STATUS_TOOL_FAILED, "%s is given twice", flag->name);
	*target = value;
}

/* Takes the flag at argv[0] (and its value); returns how many words it used. */
static int take_flag(const struct flag *flags, char **argv, const char *help)
{
	static char none[] = "";
	char *equals = strchr(argv[0], '=');
	size_t length = equals != NULL ? (size_t)(equals - argv[0]) : strlen(argv[0]);
	const struct flag *flag = find_flag(flags, argv[0], length);
	char *value = equals != NULL ? equals + 1 : argv[1];

	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		fputs(help, stdout);
		exit(report_finish_output());
	}
	if (flag == NULL)
		fail_unknown(flags, alloc_text("%.*s", (int)length, argv[0]));
	if (flag->kind == FLAG_SWITCH) {
		if (equals != NULL)
			report_fail(STATUS_TOOL_FAILED, "%s takes no value", flag->name);
		*(bool *)flag->target = true;
		return 1;
	}
	if (flag->kind == FLAG_OPTIONAL_TEXT) {
		set_text(flag, equals != NULL ? value : none);
		return 1;
	}
	if (value == NULL)
		report_fail(STATUS_TOOL_FAILED, "%s needs a value: %s %s", flag->name, flag->name,
			flag->value_name);
	if (flag->kind == FLAG_LIST)
		text_list_add(flag->target, value);
	else
		set_text(flag, value);
	return equals != NULL ? 1 : 2;
}

int flags_parse(const struct flag *flags, int argc, char **argv, const char *help)
{
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != 0) {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		i += take_flag(flags, argv + i, help);
	}
	return i;
}

int flags_json_descriptor(const char *text, int otherwise)
{
	char *end = NULL;
	unsigned long fd;

	if (*text == 0)
		return otherwise;
	fd = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || fd > 65535)
		report_fail(
			STATUS_TOOL_FAILED, "--json=%s: not the number of a file descriptor", text);
	return (int)fd;
}
