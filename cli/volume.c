/* `burrow volume`: files that hold an ext4 file system, for --disk. By mke2fs and e2fsck. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "host/child.h"
#include "host/report.h"
#include "host/size.h"

#define SIZE_LEAST (16ull << 20) /* with a journal of 4 MiB */
#define SIZE_MOST  (16ull << 40)

#define FINDINGS_MOST 40 /* lines of e2fsck that are shown */
#define FINDING_BYTES 160

/* Of the superblock, which lies at 1024. */
#define SUPER_BYTES         1024
#define SUPER_MAGIC         0xef53u
#define SUPER_MAGIC_AT      0x38
#define INCOMPATIBLE_AT     0x60
#define INCOMPATIBLE_REPLAY 4u /* needs_recovery */

/* e2fsck(8), exit code: bits. */
enum { E2FSCK_CORRECTED = 1 | 2, E2FSCK_UNCORRECTED = 4 };

const char volume_help[] =
	"usage: burrow volume create FILE SIZE\n"
	"       burrow volume check [--repair] FILE\n"
	"\n"
	"create makes a file of SIZE (such as 512M or 20G) with an ext4 file system, for\n"
	"burrow run --disk NAME=FILE:PATH. It takes room as it is written. Linux can mount it.\n"
	"check looks whether the file system in FILE, or on a device, is whole.\n"
	"\n"
	"  --repair      check: replay the journal and mend what is broken\n"
	"  --help, -h    this text\n"
	"\n"
	"Status of check: 0: whole; 1: not, or --repair had to mend it; 125: it cannot be told.\n";

static char *find_tool(const char *name)
{
	static const char *const places[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};
	char *path = child_find(name);

	/* Often not in the PATH of users. */
	for (size_t i = 0; i < ARRAY_SIZE(places) && path == NULL; i++) {
		path = alloc_text("%s/%s", places[i], name);
		if (access(path, X_OK) != 0)
			path = NULL;
	}
	if (path == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s is not installed; install e2fsprogs (Debian: sudo apt install "
			"e2fsprogs)",
			name);
	return path;
}

/* ---- create ------------------------------------------------------------------------------ */

static uint64_t parse_volume_size(const char *text)
{
	uint64_t bytes = 0;

	if (size_parse(text, &bytes) != 0)
		report_fail(STATUS_TOOL_FAILED,
			"create: %s: not a size; write a number with a unit, such as 512M or 20G",
			text);
	if (bytes < SIZE_LEAST || bytes > SIZE_MOST)
		report_fail(STATUS_TOOL_FAILED,
			"create: %s: a volume has 16M to 16T (a number needs a unit: 512M)", text);
	return ALIGN_DOWN(bytes, 4096);
}

/* The same on every host, whatever its mke2fs.conf says: what Burrow's own ext4 knows and Linux
 * since 3.18. Nothing is left to be made by a kernel later; nothing is kept for root, as the
 * program is root. The journal is written, not left as a hole: else each commit has the host
 * allocate blocks, which makes a flush several times as long. */
#define FEATURES                                                                                   \
	("none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,"         \
	 "large_file,huge_file,dir_nlink,extra_isize,metadata_csum")

static const char *const mke2fs_options[] = {"-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256",
	"-m", "0", "-O", FEATURES, "-E",
	"lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0"};

static int make_file_system(char *path)
{
	struct text_list arguments = {0};

	text_list_add(&arguments, find_tool("mke2fs"));
	for (size_t i = 0; i < ARRAY_SIZE(mke2fs_options); i++)
		text_list_add(&arguments, alloc_text("%s", mke2fs_options[i]));
	text_list_add(&arguments, alloc_text("%s", path));
	return child_run(arguments.items, NULL, NULL, NULL);
}

static int create(char **words)
{
	uint64_t bytes = parse_volume_size(words[1]);
	int fd, status;

	(void)find_tool("mke2fs"); /* before there is a file */
	fd = open(words[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "create: %s: %s%s", words[0], strerror(errno),
			errno == EEXIST ? "; remove it first, or give another name" : "");
	if (ftruncate(fd, (off_t)bytes) != 0) {
		int error = errno;

		unlink(words[0]);
		report_fail(STATUS_TOOL_FAILED, "create: %s: %s", words[0], strerror(error));
	}
	status = make_file_system(words[0]);
	if (status != 0 || fsync(fd) != 0) {
		unlink(words[0]);
		report_fail(STATUS_TOOL_FAILED,
			"create: %s: mke2fs failed; its message is above, the file is removed",
			words[0]);
	}
	close(fd);
	return 0;
}

/* ---- check ------------------------------------------------------------------------------- */

/* True if the last VM did not close it: the journal holds what is not in its place yet. */
static bool needs_replay(int fd, const char *path)
{
	uint8_t super[SUPER_BYTES];
	uint16_t magic;
	uint32_t incompatible;

	if (pread(fd, super, sizeof(super), 1024) != (ssize_t)sizeof(super))
		memset(super, 0, sizeof(super));
	memcpy(&magic, super + SUPER_MAGIC_AT, sizeof(magic));
	memcpy(&incompatible, super + INCOMPATIBLE_AT, sizeof(incompatible));
	if (magic != SUPER_MAGIC)
		report_fail(STATUS_TOOL_FAILED, "check: %s: no ext4 file system", path);
	return (incompatible & INCOMPATIBLE_REPLAY) != 0;
}

/* e2fsck lists single blocks, line after line of many thousand characters. */
static void print_findings(const char *output)
{
	for (int lines = 0; *output != 0 && lines < FINDINGS_MOST; lines++) {
		size_t bytes = strcspn(output, "\n");

		fprintf(stderr, "%.*s%s\n", (int)MIN(bytes, (size_t)FINDING_BYTES), output,
			bytes > FINDING_BYTES ? "..." : "");
		output += bytes;
		output += *output != 0;
	}
	if (*output != 0)
		fputs("...\n", stderr);
}

static int judge(const char *path, int status, const char *output, bool repairs)
{
	bool is_mended = repairs && (status & E2FSCK_CORRECTED) != 0;

	if (status < 0 || (status & ~(E2FSCK_CORRECTED | E2FSCK_UNCORRECTED)) != 0) {
		print_findings(output);
		/* With errors left it has given up on the volume, not on itself. */
		if (status < 0 || (status & E2FSCK_UNCORRECTED) == 0)
			report_fail(STATUS_TOOL_FAILED, "check: %s: e2fsck failed", path);
		report_note("check: %s: damaged%s", path,
			repairs ? " beyond repair" : "; --repair may mend it");
		return 1;
	}
	if (status == 0 || (is_mended && (status & E2FSCK_UNCORRECTED) == 0)) {
		printf("%s: %s\n", path, is_mended ? "mended" : "whole");
		if (is_mended)
			print_findings(output);
		return is_mended;
	}
	print_findings(output);
	report_note(
		"check: %s: damaged%s", path, repairs ? " beyond repair" : "; --repair mends it");
	return 1;
}

static int check(char **words, bool repairs)
{
	char *path = words[0], *output = NULL;
	char *arguments[] = {find_tool("e2fsck"), alloc_text("-f"),
		alloc_text(repairs ? "-y" : "-n"), alloc_text("%s", path), NULL};
	int fd = open(path, (repairs ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	bool replays;
	int status;

	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "check: %s: %s", path, strerror(errno));
	if (flock(fd, (repairs ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		report_fail(
			STATUS_TOOL_FAILED, "check: %s is in use by a VM; stop that first", path);
	replays = needs_replay(fd, path);
	if (replays && !repairs) {
		report_note("check: %s was not closed: its last VM was ended from outside. The "
			    "journal is replayed when it is mounted next, or by --repair now",
			path);
		return 1;
	}
	status = child_run(arguments, NULL, NULL, &output);
	/* Replaying is no repair. */
	if (replays && status == E2FSCK_CORRECTED - 2)
		status = 0;
	return judge(path, status, output != NULL ? output : "", repairs);
}

int volume_main(int argc, char **argv)
{
	bool repairs = false;
	const struct flag flags[] = {
		{"--repair", FLAG_SWITCH, &repairs, NULL}, {NULL, FLAG_SWITCH, NULL, NULL}};
	const char *what = argc > 0 ? argv[0] : "";
	int used;

	if (strcmp(what, "create") != 0 && strcmp(what, "check") != 0) {
		(void)flags_parse(flags, argc, argv, volume_help);
		report_fail(STATUS_TOOL_FAILED, "say what to do: create FILE SIZE, or check FILE");
	}
	used = 1 + flags_parse(flags, argc - 1, argv + 1, volume_help);
	if (strcmp(what, "check") == 0) {
		if (argc - used != 1)
			report_fail(STATUS_TOOL_FAILED, "check: give one FILE");
		return check(argv + used, repairs);
	}
	if (argc - used != 2 || repairs)
		report_fail(STATUS_TOOL_FAILED, "create: give a FILE and a SIZE, such as 1G");
	return create(argv + used);
}
