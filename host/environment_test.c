/* Tests of host/environment.c. */
#include <string.h>

#include "host/environment.h"
#include "lib/test.h"

/* A command allocates and ends: its lists are never freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static char *host[] = {(char[]){"HOME=/root"}, (char[]){"TMPDIR=/scratch"}, (char[]){"A=1"},
	(char[]){"OLDPWD=/x"}, (char[]){"PWD=/y"}, (char[]){"AB=3"}, (char[]){"nonsense"}, NULL};

/* The value, or NULL; fails when the name is there twice. */
static const char *value(const struct text_list *list, const char *name)
{
	const char *found = NULL;
	size_t length = strlen(name);

	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=') {
			CHECK(found == NULL);
			found = list->items[i] + length + 1;
		}
	}
	return found;
}

static bool is(const struct text_list *list, const char *name, const char *expected)
{
	const char *found = value(list, name);

	return found != NULL && strcmp(found, expected) == 0;
}

TEST(host_environment_is_passed_on)
{
	struct text_list out = {0};
	const struct environment_wish wish = {
		.host = host, .working_directory = "/work", .memory_bytes = 512ull << 20};

	environment_make(&wish, &out);
	CHECK(is(&out, "HOME", "/root"));
	CHECK(is(&out, "A", "1"));
	CHECK(is(&out, "AB", "3"));
	CHECK(is(&out, "PWD", "/work"));
	CHECK(value(&out, "TMPDIR") == NULL);
	CHECK(value(&out, "OLDPWD") == NULL);
	CHECK(is(&out, "GOMEMLIMIT", "471852KiB"));
	CHECK_EQUAL(out.count, 5);
}

TEST(given_values_win)
{
	struct text_list out = {0}, given = {0};
	const struct environment_wish wish = {.host = host,
		.given = &given,
		.working_directory = "/",
		.memory_bytes = 512ull << 20};

	text_list_add(&given, (char[]){"A=2"});
	text_list_add(&given, (char[]){"A=3=4"});
	text_list_add(&given, (char[]){"GOMEMLIMIT=off"});
	text_list_add(&given, (char[]){"TMPDIR=/tmp"});
	environment_make(&wish, &out);
	CHECK(is(&out, "A", "3=4"));
	CHECK(is(&out, "GOMEMLIMIT", "off"));
	CHECK(is(&out, "TMPDIR", "/tmp"));
}

TEST(clean_environment_has_nothing_of_the_host)
{
	struct text_list out = {0}, given = {0};
	const struct environment_wish wish = {
		.given = &given, .working_directory = "/", .memory_bytes = 512ull << 20};

	text_list_add(&given, (char[]){"B=1"});
	environment_make(&wish, &out);
	CHECK(value(&out, "A") == NULL);
	CHECK(is(&out, "B", "1"));
	CHECK(is(&out, "HOME", "/"));
	CHECK_EQUAL(out.count, 5); /* PATH HOME PWD B GOMEMLIMIT */
}

TEST(defaults_give_way)
{
	struct text_list out = {0}, defaults = {0};
	const struct environment_wish wish = {.host = host,
		.defaults = &defaults,
		.working_directory = "/",
		.memory_bytes = 512ull << 20};

	text_list_add(&defaults, (char[]){"A=7"});
	text_list_add(&defaults, (char[]){"LANG=C"});
	environment_make(&wish, &out);
	CHECK(is(&out, "A", "1"));
	CHECK(is(&out, "LANG", "C"));
}

TEST_DEFINE_MAIN
