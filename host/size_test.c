/* Tests of host/size.c. */
#include <errno.h>

#include "host/size.h"
#include "lib/test.h"

static void accepts(const char *text, uint64_t expected)
{
	uint64_t bytes = 1;

	CHECK_EQUAL(size_parse(text, &bytes), 0);
	CHECK(bytes == expected);
}

static void refuses(const char *text, int error)
{
	uint64_t bytes = 7;

	CHECK_EQUAL(size_parse(text, &bytes), error);
	CHECK_EQUAL(bytes, 7); /* untouched */
}

TEST(sizes)
{
	accepts("0", 0);
	accepts("65536", 65536);
	accepts("64K", 65536);
	accepts("512M", 512ull << 20);
	accepts("512m", 512ull << 20);
	accepts("512MiB", 512ull << 20);
	accepts("512mb", 512ull << 20);
	accepts("2G", 2ull << 30);
	accepts("1T", 1ull << 40);
	accepts("7B", 7);
	accepts("18446744073709551615", UINT64_MAX);
	accepts("16777215T", 16777215ull << 40);
}

TEST(what_is_no_size)
{
	static const char *const texts[] = {"", "M", "-1", "+1", " 1", "1 ", "1.5G", "1MM", "1Mi",
		"1P", "0x10", "1G1", "\xc3\xa9", "1\x0b"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		refuses(texts[i], -EINVAL);
}

TEST(too_large)
{
	refuses("18446744073709551616", -ERANGE);
	refuses("16777216T", -ERANGE);
	refuses("99999999999999999999999999", -ERANGE);
}

TEST_DEFINE_MAIN
