/* See pvh_image.h. */
#include "platform/vm/pvh_image.h"

#include "abi/kernel_image.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/compiler.h"
#include "lib/image.h"
#include "lib/manifest.h"
#include "lib/string.h"
#include "platform/vm/ports.h"

#define DEBUG_EXIT_PORT 0xf4
#define CMOS_INDEX      0x70
#define CMOS_DATA       0x71
#define WORD_MAX        1024u

/* Memory behind the head, filled from its start. */
struct room {
	uint64_t at, end;
};

/* What is gathered before strings are laid out: argv and the rest of its order. */
struct wishes {
	const struct image_header *header;
	const char *manifest;
	size_t manifest_bytes;
	const char *line;      /* the command line */
	const char *arguments; /* of the line, behind `--`; NULL: none there */
};

static void *at_phys(uint64_t phys)
{
	return (void *)(uintptr_t)(LINEAR_BASE + phys);
}

const struct image_header *pvh_image_find(void)
{
	const uint8_t *head = at_phys(IMAGE_HEAD_PHYS);
	enum image_error error = image_check(head, image_header(head)->file_bytes);

	if (error == IMAGE_IS_NONE)
		return NULL;
	if (error != IMAGE_OK)
		panic("the built file is damaged, or of another release: build it again");
	return image_header(head);
}

void pvh_image_span(const struct image_header *header, uint64_t *start, uint64_t *end)
{
	*start = UINT64_MAX;
	*end = 0;
	for (uint32_t i = 0; i < header->part_count; i++) {
		const struct image_part *part = &header->parts[i];

		if (part->type < IMAGE_PART_PROGRAM)
			continue;
		*start = MIN(*start, part->phys);
		*end = MAX(*end, part->phys + part->bytes);
	}
}

/* ---- memory ------------------------------------------------------------------------- */

static char *take(struct room *room, uint64_t bytes)
{
	char *memory = at_phys(room->at);

	if (bytes > room->end - room->at)
		panic("arguments and environment are too long for a built file");
	room->at += bytes;
	return memory;
}

static void add_string(struct room *room, const char *text, size_t bytes)
{
	char *to = take(room, bytes + 1);

	memcpy(to, text, bytes);
	to[bytes] = 0;
}

static void add_value(struct room *room, const struct manifest_entry *entry)
{
	manifest_value(entry, take(room, manifest_value(entry, NULL) + 1));
}

/* ---- the command line ------------------------------------------------------------------ */

/* The word last read, and the value last found: too large for the boot stack, and there is
 * one reader only. */
static char word[WORD_MAX], found[WORD_MAX];

/* Reads the next word at *at, without quotes; false at the end. */
static bool next_word(const char **at)
{
	bool is_quoted = false;
	size_t bytes = 0;

	while (**at == ' ')
		++*at;
	if (**at == 0)
		return false;
	for (; **at != 0 && (is_quoted || **at != ' '); ++*at) {
		if (**at == '"')
			is_quoted = !is_quoted;
		else if (bytes < WORD_MAX - 1)
			word[bytes++] = **at;
	}
	word[bytes] = 0;
	return true;
}

/* Behind `--`; NULL without one. */
static const char *find_arguments(const char *line)
{

	while (next_word(&line)) {
		if (strcmp(word, "--") == 0)
			return line;
	}
	return NULL;
}

/* QEMU's microvm puts its words at the end, behind ours. */
static bool is_of_loader(const char *text)
{
	static const char start[] = "virtio_mmio.device=";

	return strncmp(text, start, sizeof(start) - 1) == 0;
}

static const char *after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* What follows `prefix` in the last such word before `--`, in `found`; NULL: none. */
static const char *find_word(const struct wishes *wishes, const char *prefix)
{
	const char *at = wishes->line, *value, *last = NULL;

	while (next_word(&at) && strcmp(word, "--") != 0) {
		value = after(word, prefix);
		if (value == NULL)
			continue;
		memcpy(found, value, strlen(value) + 1);
		last = found;
	}
	return last;
}

/* ---- strings ------------------------------------------------------------------------------ */

static bool next_entry(const struct wishes *wishes, enum manifest_key key, size_t *position,
	struct manifest_entry *entry)
{
	while (manifest_next(wishes->manifest, wishes->manifest_bytes, position, entry)) {
		if (entry->key == key)
			return true;
	}
	return false;
}

/* The manifest's value, or `otherwise`. */
static void add_one(const struct wishes *wishes, enum manifest_key key, const char *otherwise,
	struct room *room)
{
	struct manifest_entry entry;
	size_t position = 0;

	if (next_entry(wishes, key, &position, &entry))
		add_value(room, &entry);
	else
		add_string(room, otherwise, strlen(otherwise));
}

static uint32_t add_all(const struct wishes *wishes, enum manifest_key key, struct room *room)
{
	struct manifest_entry entry;
	size_t position = 0;
	uint32_t count = 0;

	for (; next_entry(wishes, key, &position, &entry); count++)
		add_value(room, &entry);
	return count;
}

static uint32_t add_arguments(const struct wishes *wishes, struct room *room)
{
	const char *at = wishes->arguments;
	uint32_t count = 0;

	if (at == NULL)
		return add_all(wishes, MANIFEST_ARG, room);
	while (next_word(&at)) {
		if (is_of_loader(word))
			continue;
		add_string(room, word, strlen(word));
		count++;
	}
	return count;
}

/* Later ones win in what reads an environment from its end; Go's takes the first: the line's
 * come first. */
static uint32_t add_environment(const struct wishes *wishes, struct room *room)
{
	static const char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", home[] = "HOME=/";
	const char *at = wishes->line, *value;
	uint32_t count = 2;

	while (next_word(&at) && strcmp(word, "--") != 0) {
		value = after(word, "burrow.env=");
		if (value == NULL)
			continue;
		add_string(room, value, strlen(value));
		count++;
	}
	count += add_all(wishes, MANIFEST_ENV, room);
	add_string(room, path, sizeof(path) - 1);
	add_string(room, home, sizeof(home) - 1);
	return count;
}

static void add_strings(const struct wishes *wishes, struct room *room, struct boot_info *info)
{
	const char *cwd = find_word(wishes, "burrow.cwd=");
	uint64_t start = room->at;

	info->strings = start;
	add_one(wishes, MANIFEST_PROGRAM, "/program", room);
	add_one(wishes, MANIFEST_PROGRAM, "/program", room);
	info->argument_count = 1 + add_arguments(wishes, room);
	info->environment_count = add_environment(wishes, room);
	if (cwd != NULL)
		add_string(room, cwd, strlen(cwd));
	else
		add_one(wishes, MANIFEST_CWD, "/", room);
	info->strings_bytes = room->at - start;
	room->at = ALIGN_UP(room->at, 16);
}

/* ---- network ------------------------------------------------------------------------------ */

static void add_settings(struct boot_interface *interfaces, uint32_t count, const char *value)
{
	struct boot_interface *to = &interfaces[0];
	const char *settings = value;
	size_t length;

	for (uint32_t i = 0; i < count; i++) {
		length = strlen(interfaces[i].name);
		if (strncmp(value, interfaces[i].name, length) == 0 && value[length] == '=') {
			to = &interfaces[i];
			settings = value + length + 1;
		}
	}
	length = strlen(to->settings);
	if (length != 0 && length + 1 < sizeof(to->settings))
		to->settings[length++] = ',';
	if (settings[0] >= '0' && settings[0] <= '9' && length + 3 < sizeof(to->settings)) {
		memcpy(to->settings + length, "ip=", 3);
		length += 3;
	}
	if (strlen(settings) < sizeof(to->settings) - length)
		memcpy(to->settings + length, settings, strlen(settings) + 1);
}

/* Names by the manifest, in order: without MAC addresses, they go to the devices in order. */
static void add_network(const struct wishes *wishes, struct room *room, struct boot_info *info)
{
	const char *settings = find_word(wishes, "burrow.ip=");
	struct boot_interface *interfaces;
	struct manifest_entry entry;
	size_t position = 0;

	info->interfaces = room->at;
	interfaces = (void *)take(room, BOOT_MAX_INTERFACES * sizeof(interfaces[0]));
	memset(interfaces, 0, BOOT_MAX_INTERFACES * sizeof(interfaces[0]));
	while (info->interface_count < BOOT_MAX_INTERFACES &&
		next_entry(wishes, MANIFEST_NET, &position, &entry)) {
		const char *equals = memchr(entry.value, '=', entry.value_bytes);
		size_t bytes = equals != NULL ? (size_t)(equals - entry.value) : entry.value_bytes;

		if (bytes < sizeof(interfaces[0].name))
			memcpy(interfaces[info->interface_count++].name, entry.value, bytes);
	}
	if (settings != NULL) {
		if (info->interface_count == 0)
			memcpy(interfaces[info->interface_count++].name, "eth0", 5);
		add_settings(interfaces, info->interface_count, settings);
		return;
	}
	for (position = 0;
		info->interface_count != 0 && next_entry(wishes, MANIFEST_IP, &position, &entry);) {
		if (entry.value_bytes >= WORD_MAX)
			continue;
		manifest_value(&entry, word);
		add_settings(interfaces, info->interface_count, word);
	}
}

static void set_hostname(const struct wishes *wishes, struct boot_info *info)
{
	struct manifest_entry entry;
	size_t position = 0;
	const char *name = find_word(wishes, "burrow.hostname=");

	if (name == NULL) {
		if (!next_entry(wishes, MANIFEST_HOSTNAME, &position, &entry) ||
			entry.value_bytes >= WORD_MAX)
			return;
		manifest_value(&entry, word);
		name = word;
	}
	memcpy(info->hostname, name, MIN(strlen(name), sizeof(info->hostname) - 1));
}

/* ---- the clock ------------------------------------------------------------------------------- */

static uint32_t read_clock(uint8_t number)
{
	uint32_t value;

	port_write8(CMOS_INDEX, number);
	value = port_read8(CMOS_DATA);
	return value;
}

static uint32_t from_bcd(uint32_t value, bool is_binary)
{
	return is_binary ? value : (value >> 4) * 10 + (value & 15);
}

/* Days since 1970 of the Gregorian calendar. */
static uint64_t days_of(uint32_t year, uint32_t month, uint32_t day)
{
	if (month <= 2) {
		year--;
		month += 12;
	}
	return 365ull * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + day -
	       719469;
}

/* The battery clock (MC146818), in seconds; 0: there is none. */
static uint64_t wall_seconds(void)
{
	bool is_binary = (read_clock(11) & 4) != 0;
	uint32_t fields[6], again;
	static const uint8_t numbers[] = {0, 2, 4, 7, 8, 9};

	if (read_clock(13) == 0xff && read_clock(11) == 0xff)
		return 0;
	do {
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
			fields[i] = from_bcd(read_clock(numbers[i]), is_binary);
		again = from_bcd(read_clock(0), is_binary);
	} while (again != fields[0]);
	return ((days_of(2000 + fields[5], fields[4], fields[3]) * 24 + fields[2]) * 60 +
		       fields[1]) *
		       60 +
	       fields[0];
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void add_modules(const struct image_header *header, struct boot_info *info)
{
	static const uint32_t types[] = {
		[IMAGE_PART_PROGRAM] = BOOT_MODULE_PROGRAM,
		[IMAGE_PART_SITES] = BOOT_MODULE_SITES,
		[IMAGE_PART_FILES] = BOOT_MODULE_FILES,
		[IMAGE_PART_TREE] = BOOT_MODULE_IMAGE,
	};

	for (uint32_t i = 0; i < header->part_count; i++) {
		const struct image_part *part = &header->parts[i];

		if (part->type < ARRAY_SIZE(types) && types[part->type] != 0)
			info->modules[info->module_count++] = (struct boot_module){
				part->phys, part->bytes, types[part->type], true};
	}
}

void pvh_image_read(
	const struct image_header *header, const char *command_line, struct boot_info *info)
{
	const struct image_part *manifest = image_part(header, IMAGE_PART_MANIFEST);
	struct room room = {IMAGE_HEAD_PHYS + header->head_bytes, KERNEL_PHYS_LINK};
	struct wishes wishes = {
		.header = header,
		.manifest = at_phys(manifest->phys),
		.manifest_bytes = manifest->bytes,
		.line = command_line,
		.arguments = find_arguments(command_line),
	};

	if (manifest->phys != IMAGE_HEAD_PHYS + manifest->offset ||
		manifest_check(wishes.manifest, wishes.manifest_bytes) != 0)
		panic("the manifest of the built file cannot be read: build it again");
	add_modules(header, info);
	add_strings(&wishes, &room, info);
	add_network(&wishes, &room, info);
	set_hostname(&wishes, info);
	info->streams[0] = BOOT_STREAM_NULL;
	info->streams[1] = info->streams[2] = BOOT_STREAM_PIPE;
	if (find_word(&wishes, "burrow.verbose"))
		info->flags |= BOOT_VERBOSE;
	if (find_word(&wishes, "burrow.trace"))
		info->flags |= BOOT_TRACE_SYSCALLS;
	if (port_read32(DEBUG_EXIT_PORT) != UINT32_MAX)
		info->flags |= BOOT_EXIT_DEBUG_PORT;
	info->wall_ns = wall_seconds() * 1000000000ull;
}
