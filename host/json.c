/* Writes JSON: see host/json.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

#include "host/json.h"

void json_open(struct json *json, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	json->need_comma = false;
	json->stream = copy < 0 ? NULL : fdopen(copy, "w");
	if (json->stream == NULL) {
		fprintf(stderr, "burrow: --json: descriptor %d is not open for writing\n", fd);
		exit(125);
	}
	fputc('{', json->stream);
}

void json_close(struct json *json)
{
	fputs("}\n", json->stream);
	fclose(json->stream);
}

/* Bytes of the UTF-8 character at `text`, or 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text)
{
	size_t length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static void write_string(FILE *stream, const char *text)
{
	fputc('"', stream);
	while (*text != 0) {
		size_t length = utf8_length((const unsigned char *)text);

		if (length == 0) {
			fputs("\xef\xbf\xbd", stream);
			length = 1;
		} else if (*text == '"' || *text == '\\') {
			fprintf(stream, "\\%c", *text);
		} else if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			fprintf(stream, "\\u%04x", *text);
		} else {
			fwrite(text, 1, length, stream);
		}
		text += length;
	}
	fputc('"', stream);
}

static void write_name(struct json *json, const char *name)
{
	if (json->need_comma)
		fputc(',', json->stream);
	json->need_comma = true;
	write_string(json->stream, name);
	fputc(':', json->stream);
}

void json_text(struct json *json, const char *name, const char *value)
{
	write_name(json, name);
	write_string(json->stream, value);
}

void json_number(struct json *json, const char *name, int64_t value)
{
	write_name(json, name);
	fprintf(json->stream, "%jd", (intmax_t)value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	write_name(json, name);
	fputs(value ? "true" : "false", json->stream);
}

void json_null(struct json *json, const char *name)
{
	write_name(json, name);
	fputs("null", json->stream);
}

void json_array_open(struct json *json, const char *name)
{
	write_name(json, name);
	fputc('[', json->stream);
	json->need_comma = false;
}

void json_array_close(struct json *json)
{
	fputc(']', json->stream);
	json->need_comma = true;
}

void json_element_open(struct json *json)
{
	if (json->need_comma)
		fputc(',', json->stream);
	fputc('{', json->stream);
	json->need_comma = false;
}

void json_element_close(struct json *json)
{
	fputc('}', json->stream);
	json->need_comma = true;
}
