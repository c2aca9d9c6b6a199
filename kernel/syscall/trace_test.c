/* The text of traced calls. */
#include "arch/host/fake_log.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_user_access.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/trace.h"
#include <string.h>
#include "lib/test.h"

/* A table of the test's own. */
const struct syscall_description syscall_descriptions[SYSCALL_TABLE_SIZE] = {
	[0] = {"read", "fbu", 3},
	[3] = {"close", "f", 1},
	[35] = {"nanosleep", "tp", 2},
	[39] = {"getpid", "", 0},
	[60] = {"exit", "d", 1},
	[90] = {"chmod", "so", 2},
	[257] = {"openat", "fsxo", 4},
};

static char text[513];

static void format(uint64_t number, long result, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	const uint64_t arguments[6] = {a0, a1, a2, a3, 5, 6};
	size_t length = syscall_trace_format(text, sizeof(text) - 1, 4, number, arguments, result,
		syscall_trace_is_final(number));

	CHECK(length < sizeof(text));
	text[length] = '\0';
}

static void expect(const char *expected)
{
	if (strcmp(text, expected) != 0) {
		fprintf(stderr, "got:      %sexpected: %s", text, expected);
		exit(1);
	}
}

/* Strings are copied in pieces, which may reach beyond the end (not of the page). */
static char hosts[128] = "/etc/hosts", short_path[128] = "/x";

static uint64_t user(const void *p)
{
	return (uint64_t)p;
}

TEST(calls_look_as_in_strace)
{
	format(257, -2, (uint64_t)-100, user(hosts), 0x80000, 0);
	expect("[4] openat(AT_FDCWD, \"/etc/hosts\", 0x80000, 00) = -2 ENOENT\n");
	format(39, 1, 0, 0, 0, 0);
	expect("[4] getpid() = 1\n");
	format(3, -9, (uint64_t)-1, 0, 0, 0);
	expect("[4] close(-1) = -9 EBADF\n");
	format(90, 0, user(short_path), 0644, 0, 0);
	expect("[4] chmod(\"/x\", 0644) = 0\n");
	format(60, 0, 3, 0, 0, 0);
	expect("[4] exit(3) = ?\n");
	format(35, -516, user(&(uint64_t[2]){2, 5}), 0, 0, 0);
	expect("[4] nanosleep({2.000000005}, NULL) = -516 ERESTART_RESTARTBLOCK\n");
}

TEST(buffers_show_what_was_moved)
{
	char data[64] = "hello\n\t\"\\\x01\xff";

	format(0, 11, 0, user(data), 64, 0);
	expect("[4] read(0, \"hello\\n\\t\\\"\\\\\\x01\\xff\", 64) = 11\n");
	memset(data, 'a', sizeof(data));
	format(0, 64, 0, user(data), 64, 0);
	expect("[4] read(0, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"..., 64) = 64\n");
	format(0, 0, 0, user(data), 64, 0);
	expect("[4] read(0, \"\", 64) = 0\n");
	format(0, -11, 0, 0x1000, 64, 0);
	expect("[4] read(0, 0x1000, 64) = -11 EAGAIN\n");
	format(0, 5, 0, 8, 64, 0); /* cannot be read: the pointer */
	expect("[4] read(0, 0x8, 64) = 5\n");
}

TEST(bad_and_long_strings_are_bounded)
{
	char path[400];

	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	format(90, -36, user(path), 0, 0, 0);
	CHECK(strlen(text) < 160);
	CHECK(strstr(text, "pppp\"..., 00) = -36 ENAMETOOLONG\n") != NULL);
	format(90, -14, 0, 0, 0, 0);
	expect("[4] chmod(NULL, 00) = -14 EFAULT\n");
	format(90, -14, 16, 0, 0, 0);
	expect("[4] chmod(0x10, 00) = -14 EFAULT\n");
}

TEST(unknown_calls_show_all_arguments)
{
	format(400, -38, 1, 2, 3, 4);
	expect("[4] syscall_400(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -38 ENOSYS\n");
	format(UINT32_MAX, -38, 1, 2, 3, 4);
	expect("[4] syscall_4294967295(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -38 ENOSYS\n");
}

TEST(results_that_are_addresses_or_no_errors)
{
	format(39, 0x7f0000001000, 0, 0, 0, 0);
	expect("[4] getpid() = 0x7f0000001000\n");
	format(39, -5000, 0, 0, 0, 0);
	expect("[4] getpid() = 0xffffffffffffec78\n");
	CHECK(syscall_error_name(0) == NULL);
	CHECK(syscall_error_name(41) == NULL);
	CHECK(syscall_error_name(100000) == NULL);
	CHECK(syscall_error_name(-5) == NULL);
}

TEST(lines_are_cut_to_the_capacity)
{
	const uint64_t arguments[6] = {0};
	char small[16];

	CHECK_EQUAL(syscall_trace_format(small, sizeof(small), 4, 400, arguments, 0, false), 16);
	CHECK(memcmp(small, "[4] syscall_400\n", 16) == 0);
}

TEST(lines_go_to_the_log_whole)
{
	const uint64_t arguments[6] = {0};

	fake_threads_reset();
	syscall_trace_show(39, arguments, 1, false);
	CHECK(strcmp(fake_log_line, "[1] getpid() = 1\n") == 0);
}

TEST_DEFINE_MAIN
