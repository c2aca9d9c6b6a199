/* See fake_log.h. */
#include "arch/host/fake_log.h"

#include <stdarg.h>
#include <stdio.h>

char fake_log_line[512];
unsigned fake_log_lines;

void log_notice(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake_log_line, sizeof(fake_log_line), format, args);
	va_end(args);
	fake_log_lines++;
}

void log_verbose(const char *format, ...)
{
	(void)format;
}

bool log_is_verbose(void)
{
	return false;
}

void log_write_line(const char *line, size_t bytes)
{
	snprintf(fake_log_line, sizeof(fake_log_line), "%.*s", (int)bytes, line);
	fake_log_lines++;
}
