/* See manifest.h. */
#include "lib/manifest.h"

#include "lib/string.h"

#define FIRST_BYTES (sizeof(MANIFEST_FIRST_LINE) - 1)
#define BUILD       "build."

static const char *const names[MANIFEST_KEY_COUNT] = {
	[MANIFEST_PROGRAM] = "program",
	[MANIFEST_MEM] = "mem",
	[MANIFEST_CPUS] = "cpus",
	[MANIFEST_ARG] = "arg",
	[MANIFEST_ENV] = "env",
	[MANIFEST_CWD] = "cwd",
	[MANIFEST_HOSTNAME] = "hostname",
	[MANIFEST_NET] = "net",
	[MANIFEST_IP] = "ip",
	[MANIFEST_MAC] = "mac",
	[MANIFEST_PORT] = "port",
	[MANIFEST_DISK] = "disk",
	[MANIFEST_VOLUME] = "volume",
};

const char *manifest_key_name(enum manifest_key key)
{
	return names[key] != NULL ? names[key] : "";
}

static enum manifest_key find_key(const char *name, size_t bytes)
{
	if (bytes > sizeof(BUILD) - 1 && memcmp(name, BUILD, sizeof(BUILD) - 1) == 0)
		return MANIFEST_BUILD;
	for (int i = 0; i < MANIFEST_KEY_COUNT; i++) {
		if (names[i] != NULL && strlen(names[i]) == bytes &&
			memcmp(names[i], name, bytes) == 0)
			return (enum manifest_key)i;
	}
	return MANIFEST_UNKNOWN;
}

/* A line of `bytes` without its newline. */
static bool read_line(const char *line, size_t bytes, struct manifest_entry *entry)
{
	const char *equals = memchr(line, '=', bytes);

	if (equals == NULL || equals == line)
		return false;
	entry->name = line;
	entry->name_bytes = (size_t)(equals - line);
	entry->key = find_key(line, entry->name_bytes);
	entry->value = equals + 1;
	entry->value_bytes = bytes - entry->name_bytes - 1;
	return true;
}

static bool is_value_good(const struct manifest_entry *entry)
{
	for (size_t i = 0; i < entry->value_bytes; i++) {
		if (entry->value[i] == 0)
			return false;
		if (entry->value[i] != '\\')
			continue;
		if (++i == entry->value_bytes ||
			(entry->value[i] != '\\' && entry->value[i] != 'n'))
			return false;
	}
	return true;
}

size_t manifest_check(const char *text, size_t bytes)
{
	size_t line = 1, at = FIRST_BYTES;

	if (bytes < FIRST_BYTES || memcmp(text, MANIFEST_FIRST_LINE, FIRST_BYTES) != 0)
		return line;
	while (at < bytes) {
		const char *end = memchr(text + at, '\n', bytes - at);
		struct manifest_entry entry;

		line++;
		if (end == NULL || !read_line(text + at, (size_t)(end - text) - at, &entry) ||
			entry.key == MANIFEST_UNKNOWN || !is_value_good(&entry))
			return line;
		at = (size_t)(end - text) + 1;
	}
	return 0;
}

bool manifest_next(const char *text, size_t bytes, size_t *position, struct manifest_entry *entry)
{
	size_t at = *position != 0 ? *position : FIRST_BYTES;
	const char *end = at < bytes ? memchr(text + at, '\n', bytes - at) : NULL;

	if (end == NULL)
		return false;
	*position = (size_t)(end - text) + 1;
	return read_line(text + at, (size_t)(end - text) - at, entry);
}

size_t manifest_value(const struct manifest_entry *entry, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < entry->value_bytes; i++) {
		char c = entry->value[i];

		if (c == '\\' && i + 1 < entry->value_bytes)
			c = entry->value[++i] == 'n' ? '\n' : entry->value[i];
		if (out != NULL)
			out[length] = c;
		length++;
	}
	if (out != NULL)
		out[length] = 0;
	return length;
}
