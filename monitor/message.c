/*
 * Messages of the monitor; see message.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/format.h"
#include "monitor/message.h"

/* Sandbox, base: write exit_group */

#define MESSAGE_BYTES 1024

static const char *speaker = "burrow-monitor";

void message_set_speaker(const char *name)
{
	speaker = name;
}

void message_write(const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t written = write(STDERR_FILENO, text, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		text += written;
		bytes -= (size_t)written;
	}
}

static void print_args(const char *format, va_list args) PRINTF_LIKE(1, 0);

static void print_args(const char *format, va_list args)
{
	char line[MESSAGE_BYTES];
	size_t bytes = format_text(line, sizeof(line), "%s: ", speaker);

	bytes = MIN(bytes, sizeof(line) - 1);
	bytes += format_text_args(line + bytes, sizeof(line) - bytes, format, args);
	bytes = MIN(bytes, sizeof(line) - 1);
	line[bytes++] = '\n';
	message_write(line, bytes);
}

void message_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_args(format, args);
	va_end(args);
}

void message_fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_args(format, args);
	va_end(args);
	_exit(status);
}
