/*
 * --trace-syscalls: one line a call, in the manner of strace(1), written when the
 * call is over (before it, for calls that do not come back).
 *
 *     [4] openat(AT_FDCWD, "/etc/hosts", 0x80000, 00) = -2 ENOENT
 */
#include "kernel/syscall/trace.h"
#include "kernel/log.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/numbers.h"
#include "kernel/syscall/syscall.h"
#include "abi/linux/stat.h"
#include "lib/format.h"
#include "lib/string.h"

#define LINE_BYTES    512
#define SHOWN_STRING  96
#define SHOWN_BUFFER  32
#define AT_FDCWD_HERE (-100)

struct line {
	char text[LINE_BYTES];
	size_t length;
};

static void add(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct line *line, const char *format, ...)
{
	size_t room = sizeof(line->text) - line->length;
	va_list args;

	va_start(args, format);
	size_t length = format_text_args(line->text + line->length, room, format, args);
	va_end(args);
	line->length += length < room ? length : room - 1;
}

/* Bytes of the program between quotes, with C's escapes. */
static void add_quoted(struct line *line, const char *bytes, size_t length, bool is_cut)
{
	add(line, "\"");
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			add(line, "\\n");
		else if (c == '\t')
			add(line, "\\t");
		else if (c == '"' || c == '\\')
			add(line, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			add(line, "\\x%02x", c);
		else
			add(line, "%c", c);
	}
	add(line, is_cut ? "\"..." : "\"");
}

static void add_pointer(struct line *line, uint64_t value)
{
	if (value == 0)
		add(line, "NULL");
	else
		add(line, "%#lx", (unsigned long)value);
}

static void add_string(struct line *line, uint64_t address)
{
	char copy[SHOWN_STRING];
	long length = user_copy_string(copy, address, sizeof(copy));

	if (length >= 0)
		add_quoted(line, copy, (size_t)length, false);
	else if (length == -LINUX_ENAMETOOLONG && user_copy_in(copy, address, sizeof(copy)) == 0)
		add_quoted(line, copy, sizeof(copy), true);
	else
		add_pointer(line, address);
}

/* Contents of what was transferred: no more than the result says. */
static void add_buffer(struct line *line, uint64_t address, uint64_t bytes, long result)
{
	char copy[SHOWN_BUFFER];

	if (result < 0) {
		add_pointer(line, address);
		return;
	}
	bytes = MIN(bytes, (uint64_t)result);
	size_t shown = MIN(bytes, (uint64_t)sizeof(copy));

	if (user_copy_in(copy, address, shown) == 0)
		add_quoted(line, copy, shown, shown < bytes);
	else
		add_pointer(line, address);
}

static void add_timespec(struct line *line, uint64_t address)
{
	struct linux_timespec time;

	if (address == 0 || user_copy_in(&time, address, sizeof(time)) != 0)
		add_pointer(line, address);
	else
		add(line, "{%ld.%09ld}", (long)time.seconds, (long)time.nanoseconds);
}

static void add_argument(
	struct line *line, char kind, const uint64_t *argument, bool has_next, long result)
{
	uint64_t value = *argument;

	switch (kind) {
	case 'd':
		add(line, "%d", (int)value);
		break;
	case 'f':
		if ((int)value == AT_FDCWD_HERE)
			add(line, "AT_FDCWD");
		else
			add(line, "%d", (int)value);
		break;
	case 'u':
		add(line, "%lu", (unsigned long)value);
		break;
	case 'o':
		add(line, "0%lo", (unsigned long)value);
		break;
	case 's':
		add_string(line, value);
		break;
	case 'b':
		add_buffer(line, value, has_next ? argument[1] : 0, result);
		break;
	case 't':
		add_timespec(line, value);
		break;
	case 'p':
		add_pointer(line, value);
		break;
	default:
		add(line, "%#lx", (unsigned long)value);
		break;
	}
}

static void add_result(struct line *line, long result)
{
	if (result >= 0) {
		/* Addresses are read more easily in hexadecimal. */
		add(line, result > INT32_MAX ? " = %#lx" : " = %ld", result);
		return;
	}
	const char *name = result > -4096 ? syscall_error_name((int)-result) : NULL;

	if (name != NULL)
		add(line, " = %ld %s", result, name);
	else
		add(line, " = %#lx", (unsigned long)result);
}

size_t syscall_trace_format(char *buffer, size_t capacity, int tid, uint64_t number,
	const uint64_t arguments[6], long result, bool is_final)
{
	struct line line = {.length = 0};
	const struct syscall_description unknown = {.kinds = "xxxxxx", .argument_count = 6};
	const struct syscall_description *call = &unknown;

	if (number < SYSCALL_TABLE_SIZE && syscall_descriptions[number].name != NULL)
		call = &syscall_descriptions[number];
	add(&line, "[%d] ", tid);
	if (call->name != NULL)
		add(&line, "%s(", call->name);
	else
		add(&line, "syscall_%lu(", (unsigned long)number);
	for (unsigned i = 0; i < call->argument_count; i++) {
		if (i > 0)
			add(&line, ", ");
		add_argument(&line, call->kinds[i], &arguments[i], i + 1 < call->argument_count,
			is_final ? -1 : result);
	}
	add(&line, ")");
	if (is_final)
		add(&line, " = ?");
	else
		add_result(&line, result);
	if (line.length > capacity - 1)
		line.length = capacity - 1;
	memcpy(buffer, line.text, line.length);
	buffer[line.length++] = '\n';
	return line.length;
}

bool syscall_trace_is_final(uint64_t number)
{
	return number == SYSCALL_EXIT || number == SYSCALL_EXIT_GROUP ||
	       number == SYSCALL_RT_SIGRETURN;
}

void syscall_trace_show(uint64_t number, const uint64_t arguments[6], long result, bool is_final)
{
	char text[LINE_BYTES];
	size_t length = syscall_trace_format(
		text, sizeof(text), thread_current()->tid, number, arguments, result, is_final);

	log_write_line(text, length);
}
