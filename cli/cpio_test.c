/* Tests of cli/cpio.c: complete archives are understood, damage is refused. */
#include <errno.h>
#include <string.h>

#include "cli/cpio.h"
#include "lib/test.h"

struct archive {
	char data[4096];
	size_t bytes;
};

static void put(struct archive *archive, const void *bytes, size_t count)
{
	memcpy(archive->data + archive->bytes, bytes, count);
	archive->bytes += count;
	while (archive->bytes % 4 != 0)
		archive->data[archive->bytes++] = 0;
}

static void add(struct archive *archive, const char *name, const char *data)
{
	char entry[256];
	int bytes = snprintf(entry, sizeof(entry),
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", 1u, 0100644u, 0u,
		0u, 1u, 5u, (unsigned)strlen(data), 0u, 0u, 0u, 0u, (unsigned)strlen(name) + 1, 0u,
		name);

	put(archive, entry, (size_t)bytes + 1);
	put(archive, data, strlen(data));
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

TEST(every_length_of_name_and_data_is_understood)
{
	struct archive archive = {.bytes = 0};
	char text[9] = "";
	size_t entries;

	for (size_t i = 0; i < 8; i++) {
		add(&archive, &"name"[i % 4], text);
		text[i] = 'x';
	}
	entries = archive.bytes;
	add(&archive, "TRAILER!!!", "");
	CHECK_EQUAL(check(&archive, archive.bytes), entries);
	for (size_t bytes = 0; bytes < entries + 110; bytes++)
		CHECK_EQUAL(check(&archive, bytes), -EINVAL);
}

TEST(damage_is_refused)
{
	static const char tar[512] = "file";
	struct archive archive = {.bytes = 0};

	CHECK_EQUAL(cpio_check((const uint8_t *)tar, sizeof(tar)), -EINVAL);
	add(&archive, "a", "1");
	add(&archive, "TRAILER!!!", "");
	CHECK_EQUAL(check(&archive, archive.bytes), 116);
	archive.data[60] = 'z'; /* a digit of the size */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 54, 'f', 8); /* 4 GiB of data */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 54, '0', 8);
	memset(archive.data + 94, 'f', 8); /* 4 GiB of name */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
	memset(archive.data + 94, '0', 8); /* no name */
	CHECK_EQUAL(check(&archive, archive.bytes), -EINVAL);
}

TEST_DEFINE_MAIN
