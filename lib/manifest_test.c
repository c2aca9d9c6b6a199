/* Tests of lib/manifest.c. */
#include <string.h>

#include "lib/manifest.h"
#include "lib/test.h"

static size_t check(const char *text)
{
	return manifest_check(text, strlen(text));
}

TEST(empty_manifest_is_good)
{
	CHECK_EQUAL(check("burrow manifest 1\n"), 0);
}

TEST(first_line_must_be_there)
{
	CHECK_EQUAL(check(""), 1);
	CHECK_EQUAL(check("burrow manifest 2\n"), 1);
	CHECK_EQUAL(check("burrow manifest 1"), 1);
}

TEST(bad_lines_are_counted)
{
	CHECK_EQUAL(check("burrow manifest 1\nmem=1M"), 2); /* no newline */
	CHECK_EQUAL(check("burrow manifest 1\nmem=1M\ncolour=red\n"), 3);
	CHECK_EQUAL(check("burrow manifest 1\nmem\n"), 2);
	CHECK_EQUAL(check("burrow manifest 1\n=x\n"), 2);
	CHECK_EQUAL(check("burrow manifest 1\n\n"), 2);
	CHECK_EQUAL(check("burrow manifest 1\narg=a\\t\n"), 2);
	CHECK_EQUAL(check("burrow manifest 1\narg=a\\\n"), 2);
	CHECK_EQUAL(manifest_check("burrow manifest 1\narg=\0\n", 24), 2);
}

TEST(what_is_known_of_the_build_may_grow)
{
	CHECK_EQUAL(check("burrow manifest 1\nbuild.colour=red\n"), 0);
	CHECK_EQUAL(check("burrow manifest 1\nbuild.=red\n"), 2);
}

TEST(entries_come_in_order)
{
	static const char text[] = "burrow manifest 1\nenv=A=b=c\narg=\narg=x\\n\\\\y\n";
	struct manifest_entry entry;
	size_t position = 0;
	char value[16];

	CHECK_EQUAL(check(text), 0);
	CHECK(manifest_next(text, sizeof(text) - 1, &position, &entry));
	CHECK_EQUAL(entry.key, MANIFEST_ENV);
	CHECK_EQUAL(manifest_value(&entry, value), 5);
	CHECK(strcmp(value, "A=b=c") == 0);
	CHECK(manifest_next(text, sizeof(text) - 1, &position, &entry));
	CHECK_EQUAL(entry.key, MANIFEST_ARG);
	CHECK_EQUAL(manifest_value(&entry, NULL), 0);
	CHECK(manifest_next(text, sizeof(text) - 1, &position, &entry));
	CHECK_EQUAL(manifest_value(&entry, value), 4);
	CHECK(strcmp(value, "x\n\\y") == 0);
	CHECK(!manifest_next(text, sizeof(text) - 1, &position, &entry));
}

TEST_DEFINE_MAIN
