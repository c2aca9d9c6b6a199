/* Tests of host/json.c. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/json.h"
#include "lib/test.h"

static void check(int fd, const char *expected)
{
	char text[512] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) >= 0);
	if (strcmp(text, expected) != 0) {
		fprintf(stderr, "got  %swant %s", text, expected);
		exit(1);
	}
	close(fd);
}

TEST(values)
{
	int fd = memfd_create("json", 0);
	struct json json;

	json_open(&json, fd);
	json_text(&json, "a", "x");
	json_number(&json, "n", INT64_MIN);
	json_bool(&json, "b", false);
	json_null(&json, "z");
	json_array_open(&json, "l");
	json_element_open(&json);
	json_text(&json, "e", "1");
	json_element_close(&json);
	json_element_open(&json);
	json_element_close(&json);
	json_array_close(&json);
	json_bool(&json, "c", true);
	json_close(&json);
	check(fd, "{\"a\":\"x\",\"n\":-9223372036854775808,\"b\":false,\"z\":null,"
		  "\"l\":[{\"e\":\"1\"},{}],\"c\":true}\n");
}

TEST(strings_are_escaped)
{
	int fd = memfd_create("json", 0);
	struct json json;

	json_open(&json, fd);
	json_text(&json, "a", "q\"b\\n\nt\t\x7f");
	json_text(&json, "u", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	json_text(&json, "bad", "\xff|\xc3|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82");
	json_close(&json);
	check(fd, "{\"a\":\"q\\\"b\\\\n\\u000at\\u0009\\u007f\","
		  "\"u\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\","
		  "\"bad\":\"\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\"}\n");
}

TEST_DEFINE_MAIN
