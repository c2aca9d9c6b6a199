/* Messages of the tool: see host/report.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/json.h"
#include "host/report.h"

static const char *speaker;
static int json_fd = -1;

void report_set_command(const char *command)
{
	speaker = command;
}

void report_set_json(int fd)
{
	json_fd = fd;
}

static void print_line(const char *text)
{
	if (speaker != NULL)
		fprintf(stderr, "burrow: %s: %s\n", speaker, text);
	else
		fprintf(stderr, "burrow: %s\n", text);
}

static char *format_line(const char *format, va_list args) PRINTF_LIKE(1, 0);

static char *format_line(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return text;
}

void report_note(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = format_line(format, args);
	va_end(args);
	print_line(text);
	free(text);
}

static void print_json_error(const char *text, int status)
{
	struct json json;

	json_open(&json, json_fd);
	json_text(&json, "command", speaker != NULL ? speaker : "");
	json_text(&json, "error", text);
	json_number(&json, "status", status);
	json_close(&json);
}

void report_fail(int status, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = format_line(format, args);
	va_end(args);
	if (json_fd >= 0)
		print_json_error(text, status);
	else
		print_line(text);
	free(text);
	exit(status);
}

int report_finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	report_fail(STATUS_TOOL_FAILED, "cannot write to stdout");
}
