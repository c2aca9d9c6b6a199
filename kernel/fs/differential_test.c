/*
 * The same random system calls on our tree (in memory, or on storage) and on Linux's own tmpfs:
 * same results, same errors, same trees. Steps are small and names are few, so that calls meet each
 * other's leavings. FS_SEED and FS_STEPS choose another run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/host/fake_tree.h"
#include "arch/host/test_mount.h"
#include "kernel/fs/image_tree.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/syscall/prototypes.h"
#include "lib/test.h"

TEST_DEFINE_MAIN

#define SLOTS 6
#define DEPTH 10

struct slot {
	int ours, theirs; /* descriptors, or -1 */
};

static struct slot slots[SLOTS];
static char scratch[] = "/dev/shm/burrow-fs-XXXXXX";
static int their_root;
static bool on_image; /* the tree begins as an image of Linux's */
static struct {
	uint8_t *data;
	size_t bytes;
} image;
static unsigned long step;

static uint64_t word(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* A string where reading on to the end of its page harms nobody. */
static uint64_t text(const char *string)
{
	static char copies[4][4096];
	static unsigned next;

	next = (next + 1) % ARRAY_SIZE(copies);
	return word(strcpy(copies[next], string));
}

static unsigned pick(unsigned bound)
{
	return (unsigned)random() % bound;
}

static long linux_result(long result)
{
	return result < 0 ? -errno : result;
}

#define THEIRS(name, ...) linux_result(syscall(SYS_##name, __VA_ARGS__))

static void agree(const char *what, const char *a, const char *b, long ours, long theirs)
{
	if (getenv("FS_TRACE"))
		fprintf(stderr, "%lu: %s(%s, %s) = %ld, Linux %ld\n", step, what, a, b, ours,
			theirs);
	if (ours == theirs)
		return;
	fprintf(stderr, "step %lu: %s(\"%s\", \"%s\") gives %ld, Linux gives %ld\n", step, what, a,
		b, ours, theirs);
	abort();
}

/* ---- random arguments ---------------------------------------------------------- */

static const char *const names[] = {"a", "b", "c", "d", "e"};

static void random_path(char path[256])
{
	unsigned depth = 1 + pick(3);

	path[0] = 0;
	for (unsigned i = 0; i < depth; i++) {
		if (i > 0)
			strcat(path, pick(20) ? "/" : "//");
		if (pick(40) == 0)
			strcat(path, ".");
		else if (i > 0 && pick(30) == 0)
			strcat(path, "..");
		else
			strcat(path, names[pick(ARRAY_SIZE(names))]);
	}
	if (pick(15) == 0)
		strcat(path, "/");
	if (pick(400) == 0) {
		memset(path, 'x', 255);
		path[255] = 0;
	}
}

/* ---- comparing ------------------------------------------------------------------ */

static void compare_stat(const char *path, const struct linux_stat *ours, const struct stat *theirs)
{
	if (ours->mode == theirs->st_mode && ours->nlink == theirs->st_nlink &&
		ours->uid == theirs->st_uid && ours->gid == theirs->st_gid &&
		(ours->size == theirs->st_size || (on_image && S_ISDIR(ours->mode))) &&
		(!S_ISREG(ours->mode) || !test_mount_counts_blocks ||
			ours->blocks == theirs->st_blocks))
		return;
	fprintf(stderr,
		"step %lu: stat %s: mode %o links %lu size %ld blocks %ld; Linux %o %lu %ld %ld\n",
		step, path, ours->mode, (long)ours->nlink, (long)ours->size, (long)ours->blocks,
		theirs->st_mode, (long)theirs->st_nlink, (long)theirs->st_size,
		(long)theirs->st_blocks);
	abort();
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list(int fd, bool ours, char found[64][256])
{
	char buffer[512];
	long bytes;
	int count = 0;

	while ((bytes = ours ? sys_getdents64((uint64_t)fd, word(buffer), sizeof(buffer))
			     : syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < bytes;) {
			struct linux_dirent64 *record = (void *)(buffer + at);

			snprintf(found[count], 256, "%s%d", record->name, record->type);
			if (record->name[0] != '.')
				count++;
			at += record->bytes;
		}
	}
	CHECK_EQUAL(bytes, 0);
	qsort(found, (size_t)count, 256, by_name);
	return count;
}

static void compare_tree(const char *path);

static void compare_node(const char *path)
{
	struct linux_stat ours;
	struct stat theirs;
	char our_text[256] = "", their_text[256] = "";

	agree("lstat", path, "", sys_newfstatat((uint64_t)AT_FDCWD, text(path), word(&ours), 0x100),
		THEIRS(newfstatat, AT_FDCWD, path, &theirs, AT_SYMLINK_NOFOLLOW));
	compare_stat(path, &ours, &theirs);
	if (S_ISLNK(ours.mode)) {
		agree("readlink", path, "", sys_readlink(text(path), word(our_text), 255),
			THEIRS(readlink, path, their_text, 255));
		CHECK(strcmp(our_text, their_text) == 0);
	}
	if (S_ISDIR(ours.mode))
		compare_tree(path);
}

static void compare_tree(const char *path)
{
	static char ours[64][64][256], theirs[64][64][256];
	static int depth;

	if (depth == 64)
		return; /* links and renames made a very deep place */
	long our_fd = sys_open(text(path), O_RDONLY | O_DIRECTORY, 0);
	long their_fd = THEIRS(open, path, O_RDONLY | O_DIRECTORY);
	int count;

	agree("open directory", path, "", MIN(our_fd, 0), MIN(their_fd, 0));
	CHECK(our_fd >= 0);
	count = list((int)our_fd, true, ours[depth]);
	agree("list", path, "", count, list((int)their_fd, false, theirs[depth]));
	sys_close((uint64_t)our_fd);
	close((int)their_fd);
	for (int i = 0; i < count; i++) {
		char below[1024];

		agree("name", ours[depth][i], theirs[depth][i],
			strcmp(ours[depth][i], theirs[depth][i]), 0);
		snprintf(below, sizeof(below), "%s/%s", path, ours[depth][i]);
		for (size_t end = strlen(below); below[end - 1] >= '0' && below[end - 1] <= '9';)
			below[--end] = 0; /* the type */
		if (ours[depth][i][1] == 'x')
			continue;
		depth++;
		compare_node(below);
		depth--;
	}
}

/* ---- steps ----------------------------------------------------------------------- */

static void step_open(struct slot *slot)
{
	static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT, O_RDWR | O_CREAT,
		O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_TRUNC, O_RDONLY | O_DIRECTORY,
		O_RDWR | O_NOFOLLOW, O_RDONLY | O_NOFOLLOW | O_DIRECTORY, O_WRONLY | O_APPEND,
		O_PATH, O_PATH | O_NOFOLLOW, O_RDWR | O_TMPFILE, O_RDWR | O_CREAT | O_TRUNC,
		O_RDONLY | O_TMPFILE, O_CREAT | O_DIRECTORY, O_RDONLY | O_CREAT};
	int flag = flags[pick(ARRAY_SIZE(flags))];
	char path[256], shown[32];
	struct stat stat;
	long ours, theirs;

	if (!test_mount_is_whole && (flag & O_TMPFILE) == O_TMPFILE)
		flag = O_RDWR;
	random_path(path);
	/* Nobody is at the other end of a fifo. */
	if (lstat(path, &stat) == 0 && !S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode) &&
		!S_ISLNK(stat.st_mode))
		flag |= O_PATH;
	if (fstatat(AT_FDCWD, path, &stat, 0) == 0 && S_ISFIFO(stat.st_mode))
		flag |= O_PATH;
	snprintf(shown, sizeof(shown), "%o", flag);
	ours = sys_openat((uint64_t)AT_FDCWD, text(path), (uint64_t)flag, 0640);
	theirs = THEIRS(openat, AT_FDCWD, path, flag, 0640);
	agree("open", path, shown, MIN(ours, 0), MIN(theirs, 0));
	if (ours < 0)
		return;
	agree("getfl", path, shown, sys_fcntl((uint64_t)ours, F_GETFL, 0),
		THEIRS(fcntl, theirs, F_GETFL, 0));
	if (slot->ours >= 0) {
		sys_close((uint64_t)slot->ours);
		close(slot->theirs);
	}
	*slot = (struct slot){(int)ours, (int)theirs};
}

static void step_names(unsigned kind)
{
	char a[256], b[256];

	random_path(a);
	random_path(b);
	switch (kind) {
	case 0:
		agree("mkdir", a, "", sys_mkdir(text(a), 0755), THEIRS(mkdir, a, 0755));
		break;
	case 1:
		agree("rmdir", a, "", sys_rmdir(text(a)), THEIRS(rmdir, a));
		break;
	case 2:
		agree("unlink", a, "", sys_unlink(text(a)), THEIRS(unlink, a));
		break;
	case 3:
		agree("rename", a, b, sys_rename(text(a), text(b)), THEIRS(rename, a, b));
		break;
	case 4:
		agree("link", a, b, sys_link(text(a), text(b)), THEIRS(link, a, b));
		break;
	case 5:
		agree("symlink", a, b, sys_symlink(text(a), text(b)), THEIRS(symlink, a, b));
		break;
	case 6: {
		unsigned flags = 1 + pick(4);

		agree("renameat2", a, b,
			sys_renameat2((uint64_t)AT_FDCWD, text(a), (uint64_t)AT_FDCWD, text(b),
				flags == 4 ? 8 : flags),
			flags == 4 ? -EINVAL : THEIRS(renameat2, AT_FDCWD, a, AT_FDCWD, b, flags));
		break;
	}
	case 7:
		agree("linkat", a, b,
			sys_linkat((uint64_t)AT_FDCWD, text(a), (uint64_t)AT_FDCWD, text(b),
				AT_SYMLINK_FOLLOW),
			THEIRS(linkat, AT_FDCWD, a, AT_FDCWD, b, AT_SYMLINK_FOLLOW));
		break;
	default: {
		unsigned mode = pick(3) == 0 ? S_IFIFO : pick(2) ? S_IFSOCK : S_IFREG;

		agree("mknod", a, "", sys_mknod(text(a), mode | 0600, 0),
			THEIRS(mknod, a, mode | 0600, 0));
	}
	}
}

static void step_attributes(unsigned kind)
{
	struct linux_stat ours;
	struct stat theirs;
	char path[256];
	long result;

	random_path(path);
	switch (kind) {
	case 0:
		result = sys_stat(text(path), word(&ours));
		agree("stat", path, "", result, THEIRS(stat, path, &theirs));
		if (result == 0)
			compare_stat(path, &ours, &theirs);
		break;
	case 1: {
		unsigned mode = pick(010000) & test_mount_modes;

		agree("chmod", path, "", sys_chmod(text(path), mode), THEIRS(chmod, path, mode));
		break;
	}
	case 2: {
		unsigned uid = pick(4), gid = pick(4);

		agree("lchown", path, "", sys_lchown(text(path), uid, gid),
			THEIRS(lchown, path, uid, gid));
		break;
	}
	case 3: {
		long bytes = pick(10) ? (long)pick(40000) : -1;

		agree("truncate", path, "", sys_truncate(text(path), (uint64_t)bytes),
			THEIRS(truncate, path, bytes));
		break;
	}
	case 4: {
		unsigned mode = pick(8);

		agree("access", path, "", sys_access(text(path), mode), THEIRS(access, path, mode));
		break;
	}
	case 5: {
		char our_text[300], their_text[300];
		unsigned capacity = pick(300);

		result = sys_readlink(text(path), word(our_text), capacity);
		agree("readlink", path, "", result, THEIRS(readlink, path, their_text, capacity));
		if (result > 0)
			CHECK(memcmp(our_text, their_text, (size_t)result) == 0);
		break;
	}
	default: {
		struct timespec times[2] = {{pick(1000), pick(1000)}, {pick(1000), pick(1000)}};

		agree("utimensat", path, "",
			sys_utimensat((uint64_t)AT_FDCWD, text(path), word(times), 0),
			THEIRS(utimensat, AT_FDCWD, path, times, 0));
		result = sys_stat(text(path), word(&ours));
		if (result == 0 && stat(path, &theirs) == 0)
			CHECK(ours.mtime.seconds == theirs.st_mtim.tv_sec &&
				ours.atime.nanoseconds == theirs.st_atim.tv_nsec);
	}
	}
}

static void enter_top(void)
{
	CHECK_EQUAL(sys_chdir(text("/w")), 0);
	CHECK_EQUAL(fchdir(their_root), 0);
}

static void enter_deepest(void)
{
	enter_top();
	for (int i = 0; i < DEPTH; i++) {
		CHECK_EQUAL(sys_chdir(text("deep")), 0);
		CHECK_EQUAL(chdir("deep"), 0);
	}
}

static void step_directory(void)
{
	char path[256];
	static char ours[512], theirs[512];
	long result, expected;

	random_path(path);
	if (pick(3) == 0) {
		enter_deepest();
	} else if (strstr(path, "..") == NULL) {
		agree("chdir", path, "", sys_chdir(text(path)), THEIRS(chdir, path));
	}
	result = sys_getcwd(word(ours), sizeof(ours));
	expected = THEIRS(getcwd, theirs, sizeof(theirs));
	agree("getcwd", "", "", MIN(result, 0), MIN(expected, 0));
	if (result > 0)
		CHECK(strcmp(ours, theirs + strlen(scratch)) == 0);
}

static uint8_t our_data[40000], their_data[40000];

static void step_contents(const struct slot *slot, unsigned kind)
{
	uint64_t fd = (uint64_t)slot->ours;
	unsigned bytes = pick(3) ? pick(300) : pick(sizeof(our_data));
	long offset = pick(40) ? (long)pick(60000) : -1;
	char from[24], many[24];
	long result;

	snprintf(from, sizeof(from), "%d at %ld", slot->theirs, offset);
	snprintf(many, sizeof(many), "%u", bytes);
	switch (kind) {
	case 0:
	case 1:
		for (unsigned i = 0; i < bytes; i++)
			our_data[i] = (uint8_t)(step + i / 7);
		result = kind ? sys_pwrite64(fd, word(our_data), bytes, (uint64_t)offset)
			      : sys_write(fd, word(our_data), bytes);
		agree("write", from, many, result,
			kind ? THEIRS(pwrite64, slot->theirs, our_data, bytes, offset)
			     : THEIRS(write, slot->theirs, our_data, bytes));
		break;
	case 2:
	case 3:
		result = kind == 2 ? sys_read(fd, word(our_data), bytes)
				   : sys_pread64(fd, word(our_data), bytes, (uint64_t)offset);
		agree("read", from, many, result,
			kind == 2 ? THEIRS(read, slot->theirs, their_data, bytes)
				  : THEIRS(pread64, slot->theirs, their_data, bytes, offset));
		if (result > 0)
			CHECK(memcmp(our_data, their_data, (size_t)result) == 0);
		break;
	case 4: {
		struct stat stat;
		unsigned whence = pick(6);

		/* The end of a directory is its own business. */
		if (fstat(slot->theirs, &stat) == 0 && S_ISREG(stat.st_mode))
			agree("lseek", from,
				whence == 3   ? "data"
				: whence == 4 ? "hole"
					      : "",
				sys_lseek(fd, (uint64_t)offset, whence),
				THEIRS(lseek, slot->theirs, offset, whence));
		break;
	}
	case 5:
		agree("ftruncate", from, many, sys_ftruncate(fd, (uint64_t)offset),
			THEIRS(ftruncate, slot->theirs, offset));
		break;
	case 6: {
		static const int modes[] = {0, 1, 3, 2, 16, 8, 3};
		int mode = modes[pick(ARRAY_SIZE(modes))];

		snprintf(many, sizeof(many), "%u mode %d", bytes, mode);
		agree("fallocate", from, many,
			sys_fallocate(fd, (uint64_t)mode, (uint64_t)offset, bytes),
			THEIRS(fallocate, slot->theirs, mode, offset, (long)bytes));
		break;
	}
	case 7: {
		struct linux_stat ours;
		struct stat theirs;

		agree("fstat", from, many, sys_fstat(fd, word(&ours)),
			THEIRS(fstat, slot->theirs, &theirs));
		compare_stat("(open file)", &ours, &theirs);
		break;
	}
	case 8: {
		char name[256];

		random_path(name);
		agree("openat", name, "", MIN(sys_faccessat(fd, text(name), 0), 0),
			MIN(THEIRS(faccessat, slot->theirs, name, 0), 0));
		break;
	}
	default: {
		const struct slot *other = &slots[pick(SLOTS)];
		uint64_t source = pick(50000), to = pick(50000), source2 = source, to2 = to;

		if (other->ours < 0)
			return;
		agree("copy_file_range", "", "",
			sys_copy_file_range(
				fd, word(&source), (uint64_t)other->ours, word(&to), bytes, 0),
			THEIRS(copy_file_range, slot->theirs, &source2, other->theirs, &to2,
				(size_t)bytes, 0));
		CHECK(source == source2 && to == to2);
	}
	}
}

static void step_xattr(void)
{
	static const char *const keys[] = {"user.a", "user.bb", "trusted.c", "nonsense", "user."};
	const char *key = keys[pick(ARRAY_SIZE(keys))];
	char path[256], ours[64], theirs[64];
	unsigned bytes = pick(40), flags = pick(4);

	random_path(path);
	if (!test_mount_is_whole && strncmp(key, "trusted.", 8) == 0)
		return;
	switch (pick(3)) {
	case 0:
		agree("lsetxattr", path, key,
			sys_lsetxattr(text(path), text(key), word(their_data), bytes, flags),
			THEIRS(lsetxattr, path, key, their_data, bytes, flags));
		break;
	case 1: {
		long result = sys_lgetxattr(text(path), text(key), word(ours), bytes);

		agree("lgetxattr", path, key, result, THEIRS(lgetxattr, path, key, theirs, bytes));
		break;
	}
	default:
		agree("lremovexattr", path, key, sys_lremovexattr(text(path), text(key)),
			THEIRS(lremovexattr, path, key));
	}
}

/* Where the data of open files lie. FS_DEEP does it after each step, to find the culprit. */
static void compare_holes(const struct slot *slot)
{
	uint64_t fd = (uint64_t)slot->ours;
	struct stat stat;
	long at = 0, before;

	if (slot->ours < 0 || fstat(slot->theirs, &stat) != 0 || !S_ISREG(stat.st_mode))
		return;
	before = sys_lseek(fd, 0, SEEK_CUR);
	for (int whence = SEEK_DATA; at >= 0 && at < stat.st_size;
		whence ^= SEEK_DATA ^ SEEK_HOLE) {
		long ours = sys_lseek(fd, (uint64_t)at, (uint64_t)whence);

		agree("map", whence == SEEK_DATA ? "data" : "hole", "", ours,
			THEIRS(lseek, slot->theirs, at, whence));
		at = ours;
	}
	if (before >= 0)
		agree("lseek", "back", "", sys_lseek(fd, (uint64_t)before, SEEK_SET),
			THEIRS(lseek, slot->theirs, before, SEEK_SET));
}

static void one_step(void)
{
	unsigned choice = pick(100);
	struct slot *slot = &slots[pick(SLOTS)];

	if (choice < 20)
		step_open(slot);
	else if (choice < 55)
		step_names(pick(9));
	else if (choice < 70)
		step_attributes(pick(7));
	else if (choice < 73)
		step_directory();
	else if (choice < 76)
		step_xattr();
	else if (slot->ours >= 0)
		step_contents(slot, pick(10));
}

/* ---- the two sides ------------------------------------------------------------------ */

/* Deep enough that ".." through links does not lead out. */
static void make_deep(bool ours)
{
	for (int i = 0; i < DEPTH; i++) {
		if (ours) {
			CHECK_EQUAL(sys_mkdir(text("deep"), 0755), 0);
			CHECK_EQUAL(sys_chdir(text("deep")), 0);
		}
		CHECK_EQUAL(mkdir("deep", 0755), 0);
		CHECK_EQUAL(chdir("deep"), 0);
	}
}

static void start(void)
{
	char directory[64];

	CHECK(mkdtemp(scratch) != NULL);
	CHECK_EQUAL(chmod(scratch, 0755), 0);
	snprintf(directory, sizeof(directory), "%s/w", scratch);
	CHECK_EQUAL(mkdir(directory, 0755), 0);
	CHECK_EQUAL(chdir(directory), 0);
	their_root = open(".", O_RDONLY | O_DIRECTORY);
	umask(022);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = (struct slot){-1, -1};
}

static void start_empty(void)
{
	start();
	fake_tree_start(512ull << 20);
	test_mount_start("/w");
	CHECK_EQUAL(sys_chdir(text("/w")), 0);
	make_deep(true);
}

/* A tree of Linux's alone: what an image is made of. */
static void make_names(void)
{
	static char data[30000];
	char a[256], b[256];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)random();
	for (int i = 0; i < 150; i++) {
		int fd;

		random_path(a);
		random_path(b);
		if (strlen(a) > 200 || strlen(b) > 200)
			continue; /* mkfs.erofs 1.5 does not find the longest names */
		switch (pick(7)) {
		case 0:
		case 1:
			(void)mkdir(a, 0755);
			break;
		case 2:
		case 3:
			fd = open(a, O_WRONLY | O_CREAT | O_EXCL, 0640);
			CHECK(fd < 0 || write(fd, data, pick(sizeof(data))) >= 0);
			if (fd >= 0)
				close(fd);
			break;
		case 4:
			(void)link(a, b);
			break;
		case 5:
			(void)symlink(a, b);
			break;
		default:
			(void)mknod(a, S_IFIFO | 0600, 0);
		}
	}
}

static void load_image(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat status;

	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &status), 0);
	image.bytes = (size_t)status.st_size;
	image.data = malloc(image.bytes);
	CHECK_EQUAL(read(fd, image.data, image.bytes), (ssize_t)image.bytes);
	close(fd);
	CHECK_EQUAL(unlink(path), 0);
}

static void start_on_image(const char *options)
{
	char path[64], command[256];

	start();
	make_deep(false);
	make_names();
	snprintf(path, sizeof(path), "/tmp%s.erofs", strrchr(scratch, '/'));
	snprintf(command, sizeof(command), "mkfs.erofs --quiet %s %s %s >/dev/null 2>&1", options,
		path, scratch);
	CHECK_EQUAL(system(command), 0);
	load_image(path);
	fake_tree_start(512ull << 20);
	CHECK_EQUAL(image_tree_add(image.data, image.bytes), 0);
	CHECK_EQUAL(sys_chdir(text("/w")), 0);
	enter_deepest();
}

static void remove_below(int directory)
{
	DIR *stream = fdopendir(directory);

	for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR)
			remove_below(openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY));
		unlinkat(dirfd(stream), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	}
	closedir(stream);
}

static void finish(void)
{
	char directory[64];

	fd_close_range(0, UINT32_MAX, false);
	CHECK_EQUAL(sys_chdir(text("/")), 0);
	if (!on_image)
		test_mount_finish();
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].theirs >= 0)
			close(slots[i].theirs);
	}
	fake_tree_finish();
	CHECK_EQUAL(chdir("/"), 0);
	remove_below(their_root);
	snprintf(directory, sizeof(directory), "%s/w", scratch);
	rmdir(directory);
	rmdir(scratch);
	memset(strrchr(scratch, '-') + 1, 'X', 6);
	free(image.data);
	image.data = NULL;
}

static unsigned long number(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static bool can_run(void)
{
	if (access("/dev/shm", W_OK) == 0 && geteuid() == 0)
		return true;
	printf("skipped: needs root and a tmpfs at /dev/shm\n");
	return false;
}

static void run_steps(unsigned long steps)
{
	unsigned long deep = number("FS_DEEP", 0);

	for (step = 0; step < steps; step++) {
		one_step();
		if (!on_image)
			test_mount_shake((unsigned)random());
		for (int i = 0; i < SLOTS && (deep || step % 500 == 0); i++)
			compare_holes(&slots[i]);
		if (step % 500 == 0) {
			enter_top();
			compare_tree(".");
			enter_deepest();
		}
	}
	finish();
}

TEST(same_as_linux)
{
	if (!can_run())
		return;
	srandom((unsigned)number("FS_SEED", 1));
	start_empty();
	run_steps(number("FS_STEPS", 20000));
}

/* Few steps each: in time nothing is left of an image. */
TEST(over_an_image_same_as_linux)
{
	static const char *const options[] = {
		"-Eforce-inode-extended", "--ignore-mtime", "--chunksize=4096"};
	unsigned seed = (unsigned)number("FS_SEED", 1);

	if (!can_run() || !test_mount_counts_blocks)
		return; /* images lie behind the memory tree only */
	if (system("mkfs.erofs --help >/dev/null 2>&1") != 0) {
		printf("skipped: needs mkfs.erofs\n");
		return;
	}
	on_image = true;
	for (unsigned round = 0; round < 12; round++) {
		srandom(seed + round);
		start_on_image(options[round % ARRAY_SIZE(options)]);
		run_steps(number("FS_STEPS", 1500));
	}
}
