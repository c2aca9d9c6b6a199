/*
 * Writes one JSON object as one line on a descriptor.
 *
 *     json_open(&json, fd); json_text(&json, "name", value); json_close(&json);
 *
 * Arrays of objects: json_array_open, then json_element_open/close for each element,
 * json_array_close. Bytes that are not UTF-8 become U+FFFD.
 */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include <stdint.h>
#include <stdio.h>

#include "lib/compiler.h"

struct json {
	FILE *stream;
	bool need_comma;
};

void json_open(struct json *json, int fd);
void json_close(struct json *json);
void json_text(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
void json_array_open(struct json *json, const char *name);
void json_array_close(struct json *json);
void json_element_open(struct json *json);
void json_element_close(struct json *json);

#endif
