/* Tests of cli/cpio.c: what is written can be checked and joined; damage is refused. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cpio.h"
#include "lib/test.h"

struct archive {
	char *data;
	size_t bytes;
	FILE *stream;
	struct cpio_writer writer;
};

static void archive_open(struct archive *archive)
{
	archive->stream = open_memstream(&archive->data, &archive->bytes);
	CHECK(archive->stream != NULL);
	cpio_open(&archive->writer, archive->stream);
}

static void add(struct archive *archive, const char *name, const char *data)
{
	const struct cpio_entry entry = {
		.name = name, .mode = S_IFREG | 0644, .mtime = 5, .bytes = strlen(data)};

	CHECK_EQUAL(cpio_add(&archive->writer, &entry), 0);
	CHECK_EQUAL(cpio_write_data(&archive->writer, data, strlen(data)), 0);
	CHECK_EQUAL(cpio_end_data(&archive->writer), 0);
}

static void archive_finish(struct archive *archive)
{
	CHECK_EQUAL(cpio_close(&archive->writer), 0);
	fclose(archive->stream);
}

static int64_t check(const struct archive *archive, size_t bytes)
{
	uint8_t *copy = malloc(bytes + 1);
	int64_t result;

	memcpy(copy, archive->data, bytes);
	result = cpio_check(copy, bytes);
	free(copy);
	return result;
}

TEST(entry_has_the_bytes_of_newc)
{
	struct archive archive;

	archive_open(&archive);
	add(&archive, "etc/x", "hello");
	archive_finish(&archive);
	CHECK(memcmp(archive.data,
		      "070701" /* inode, mode, uid, gid, links, time, bytes */
		      "00000001"
		      "000081a4"
		      "00000000"
		      "00000000"
		      "00000001"
		      "00000005"
		      "00000005"
		      "00000000"
		      "00000000"
		      "00000000"
		      "00000000"
		      "00000006"
		      "00000000"
		      "etc/x\0"
		      "hello\0\0\0",
		      110 + 6 + 8) == 0);
	CHECK_EQUAL(archive.bytes % 4, 0);
	CHECK_EQUAL(check(&archive, archive.bytes), 110 + 6 + 8);
	free(archive.data);
}

TEST(every_length_is_padded)
{
	struct archive archive;
	char text[9] = "";

	archive_open(&archive);
	for (size_t i = 0; i < 8; i++) {
		add(&archive, "name" + i % 4, text);
		text[i] = 'x';
	}
	archive_finish(&archive);
	CHECK(check(&archive, archive.bytes) > 0);
	for (size_t bytes = 0; bytes < archive.bytes - 1; bytes++) {
		int64_t entries = check(&archive, bytes);

		CHECK(entries == -EINVAL || bytes >= (size_t)entries + 110);
	}
	free(archive.data);
}

TEST(archives_are_joined)
{
	struct archive first, second;

	archive_open(&first);
	add(&first, "a", "1");
	archive_finish(&first);
	archive_open(&second);
	CHECK_EQUAL(cpio_join(&second.writer, (uint8_t *)first.data, first.bytes), 0);
	add(&second, "b", "2");
	archive_finish(&second);
	CHECK_EQUAL(check(&second, second.bytes), 2 * 116);
	free(first.data);
	free(second.data);
}

TEST(damage_is_refused)
{
	static const char tar[512] = "file";
	struct archive archive;

	CHECK_EQUAL(cpio_check((const uint8_t *)tar, sizeof(tar)), -EINVAL);
	archive_open(&archive);
	add(&archive, "a", "1");
	archive_finish(&archive);
	archive.data[60] = 'z'; /* a digit of the size */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 54, 'f', 8); /* 4 GiB of data */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 54, '0', 8);
	memset(archive.data + 94, 'f', 8); /* 4 GiB of name */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 94, '0', 8); /* no name */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	free(archive.data);
}

TEST(what_does_not_fit_is_refused)
{
	const struct cpio_entry large = {.name = "x", .bytes = 1ull << 32};
	char *name = malloc(5001);
	struct archive archive;

	memset(name, 'n', 5000);
	name[5000] = 0;
	archive_open(&archive);
	CHECK_EQUAL(cpio_add(&archive.writer, &large), -EFBIG);
	CHECK_EQUAL(cpio_add(&archive.writer, &(struct cpio_entry){.name = name}), -ENAMETOOLONG);
	CHECK_EQUAL(archive.writer.bytes, 0);
	archive_finish(&archive);
	free(archive.data);
	free(name);
}

TEST_DEFINE_MAIN
