/*
 * The kernel's own messages. Lines are formatted on the stack and handed over whole,
 * so that lines of several vcpus do not mix. The contract is in log.h.
 */
#include "kernel/log.h"
#include "kernel/platform.h"
#include "kernel/console.h"
#include "lib/format.h"
#include "lib/string.h"

#define LINE_BYTES 320

static const char prefix[] = "burrow: ";

void log_write_line(const char *line, size_t bytes)
{
	console_write_log(line, bytes);
}

static void write_prefixed(const char *format, va_list args) PRINTF_LIKE(1, 0);
static void write_prefixed(const char *format, va_list args)
{
	char line[LINE_BYTES];
	size_t start = sizeof(prefix) - 1;
	/* One byte stays free for the newline. */
	size_t room = sizeof(line) - start - 1;

	memcpy(line, prefix, start);
	size_t length = format_text_args(line + start, room, format, args);
	if (length >= room)
		length = room - 1;
	for (size_t i = start; i < start + length; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[start + length] = '\n';
	log_write_line(line, start + length + 1);
}

void log_notice(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_prefixed(format, args);
	va_end(args);
}

bool log_is_verbose(void)
{
	return (platform_boot_info()->flags & BOOT_VERBOSE) != 0;
}

void log_verbose(const char *format, ...)
{
	va_list args;

	if (!log_is_verbose())
		return;
	va_start(args, format);
	write_prefixed(format, args);
	va_end(args);
}
