/* Tests of host/machines.c in a directory of their own. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/machines.h"
#include "lib/test.h"

static char directory[] = "/tmp/burrow-machines-XXXXXX";

static void count_machine(const struct machine_handle *machine, void *context)
{
	int *count = context;

	CHECK(machine->record->name[0] != 0);
	*count += 1;
}

static int count_all(void)
{
	int count = 0;

	CHECK_EQUAL(machines_visit(count_machine, &count), 0);
	return count;
}

static void start_empty(void)
{
	if (directory[sizeof(directory) - 2] == 'X')
		CHECK(mkdtemp(directory) != NULL);
	CHECK_EQUAL(setenv("BURROW_STATE", directory, 1), 0);
	CHECK_EQUAL(count_all(), 0);
}

TEST(a_vm_is_seen_while_its_lock_is_held)
{
	struct machine_handle mine, seen;

	start_empty();
	CHECK_EQUAL(machines_register("web", "/bin/server", &mine), 0);
	mine.record->state = MACHINE_RUNNING;
	CHECK_EQUAL(machines_open("web", &seen), 0);
	CHECK(seen.is_running);
	machines_close(&seen);
	CHECK_EQUAL(count_all(), 1);
	CHECK_EQUAL(machines_remove("web"), -EBUSY);
	machines_close(&mine); /* as if it had been killed */
	CHECK_EQUAL(machines_open("web", &seen), -ENOENT);
	CHECK_EQUAL(count_all(), 0);
}

TEST(names_are_given_once)
{
	struct machine_handle first, second, third;

	start_empty();
	CHECK_EQUAL(machines_register("web", "/bin/server", &first), 0);
	CHECK_EQUAL(machines_register("web", "/bin/server", &second), -EEXIST);
	CHECK_EQUAL(machines_register(NULL, "/bin/web", &second), 0);
	CHECK(strcmp(second.record->name, "web-2") == 0);
	CHECK_EQUAL(machines_register(NULL, "./-odd name", &third), 0);
	CHECK(strcmp(third.record->name, "vodd-name") == 0);
	CHECK_EQUAL(count_all(), 3);
	machines_unregister(&first, false);
	machines_unregister(&second, false);
	machines_unregister(&third, false);
	CHECK_EQUAL(count_all(), 0);
}

TEST(an_ended_vm_is_kept_until_it_is_removed)
{
	struct machine_handle mine, seen;

	start_empty();
	CHECK_EQUAL(machines_register("job", "job", &mine), 0);
	mine.record->state = MACHINE_ENDED;
	mine.record->status = 3;
	machines_unregister(&mine, true);
	CHECK_EQUAL(machines_open("job", &seen), 0);
	CHECK(!seen.is_running);
	CHECK_EQUAL(seen.record->status, 3);
	machines_close(&seen);
	CHECK_EQUAL(machines_remove("job"), 0);
	CHECK_EQUAL(machines_remove("job"), -ENOENT);
}

TEST(the_lock_lives_as_long_as_a_child)
{
	struct machine_handle mine, seen;
	int ends[2];
	pid_t pid;

	start_empty();
	CHECK_EQUAL(pipe(ends), 0);
	CHECK_EQUAL(machines_register("child", "x", &mine), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	machines_close(&mine);
	CHECK_EQUAL(machines_open("child", &seen), 0);
	CHECK(seen.is_running);
	machines_close(&seen);
	close(ends[1]);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	CHECK_EQUAL(machines_open("child", &seen), -ENOENT);
}

static void put_file(const char *name, const void *bytes, size_t count)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count);
	close(fd);
}

TEST(damaged_records_are_passed_over)
{
	static uint8_t bytes[MACHINE_RECORD_BYTES];
	struct machine_record record = {
		.magic = MACHINE_RECORD_MAGIC, .version = MACHINE_RECORD_VERSION, .name = "other"};
	struct machine_handle seen;

	start_empty();
	put_file("short.vm", "x", 1);
	put_file("zero.vm", bytes, sizeof(bytes));
	memcpy(bytes, &record, sizeof(record));
	put_file("liar.vm", bytes, sizeof(bytes));
	memcpy(record.name, "endless", 8);
	memset(record.program, 'x', sizeof(record.program));
	memcpy(bytes, &record, sizeof(record));
	put_file("endless.vm", bytes, sizeof(bytes));
	put_file(".vm", bytes, sizeof(bytes));
	CHECK_EQUAL(count_all(), 0);
	CHECK_EQUAL(machines_open("liar", &seen), -ENOENT);
	CHECK_EQUAL(machines_open("../x", &seen), -ENOENT);
	CHECK_EQUAL(machines_register("endless", "x", &seen), 0); /* taken over */
	machines_unregister(&seen, false);
}

TEST(a_directory_that_others_may_write_to_is_refused)
{
	struct machine_handle mine;

	start_empty();
	CHECK_EQUAL(chmod(directory, 0777), 0);
	CHECK_EQUAL(machines_register("x", "x", &mine), -EPERM);
	CHECK_EQUAL(chmod(directory, 0700), 0);
}

TEST(names_have_no_paths_in_them)
{
	CHECK(machines_is_name("web-1.example_X"));
	CHECK(!machines_is_name(""));
	CHECK(!machines_is_name("a/b"));
	CHECK(!machines_is_name(".hidden"));
	CHECK(!machines_is_name("-flag"));
	CHECK(!machines_is_name("with blank"));
	CHECK(!machines_is_name(
		"0123456789012345678901234567890123456789012345678901234567890123"));
}

TEST_DEFINE_MAIN
