/* See image_inspect.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/image_inspect.h"
#include "host/report.h"
#include "lib/go_binary.h"
#include "lib/image.h"
#include "lib/manifest.h"

struct opened {
	const uint8_t *file;
	const struct image_header *header;
	struct go_binary go; /* of the program; empty if it is not Go's */
};

static void open_built(struct opened *opened, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct image_part *program;
	struct elf_program elf;
	struct stat status;
	void *file = MAP_FAILED;

	if (fd < 0 || fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	if ((size_t)status.st_size > IMAGE_HEADER_OFFSET + sizeof(struct image_header))
		file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED || image_check(file, (uint64_t)status.st_size) != IMAGE_OK)
		report_fail(STATUS_TOOL_FAILED,
			"%s: not a file that this release's burrow build made, or damaged", path);
	close(fd);
	opened->file = file;
	opened->header = image_header(file);
	program = image_part(opened->header, IMAGE_PART_PROGRAM);
	if (elf_check(opened->file + program->offset, program->bytes, &elf) == ELF_OK)
		(void)go_binary_read(
			opened->file + program->offset, program->bytes, &elf, &opened->go);
}

static const char *part_name(uint32_t type)
{
	static const char *const names[] = {
		[IMAGE_PART_MANIFEST] = "manifest",
		[IMAGE_PART_MONITOR] = "monitor",
		[IMAGE_PART_KERNEL] = "kernel",
		[IMAGE_PART_PROGRAM] = "program",
		[IMAGE_PART_SITES] = "sites",
		[IMAGE_PART_FILES] = "archive",
		[IMAGE_PART_TREE] = "files",
	};

	return type < ARRAY_SIZE(names) && names[type] != NULL ? names[type] : "unknown";
}

int image_inspect(const char *path)
{
	struct opened opened = {0};
	const struct image_part *manifest;
	const char *text;
	size_t position = 0;
	struct go_text line;

	open_built(&opened, path);
	printf("%s: %ju bytes\n", path, (uintmax_t)opened.header->file_bytes);
	for (uint32_t i = 0; i < opened.header->part_count; i++) {
		const struct image_part *part = &opened.header->parts[i];

		printf("  %-9s %10ju bytes at %#jx, guest-physical %#jx\n", part_name(part->type),
			(uintmax_t)part->bytes, (uintmax_t)part->offset, (uintmax_t)part->phys);
	}
	manifest = image_part(opened.header, IMAGE_PART_MANIFEST);
	text = (const char *)opened.file + manifest->offset;
	puts("manifest:");
	for (size_t at = 0; at < manifest->bytes; at++) {
		if (at == 0 || text[at - 1] == '\n')
			fputs("  ", stdout);
		putchar(text[at]);
	}
	if (opened.go.version.bytes != 0)
		printf("modules, built by %.*s:\n", (int)opened.go.version.bytes,
			opened.go.version.at);
	while (go_text_next(opened.go.modules, '\n', &position, &line))
		printf("  %.*s\n", (int)line.bytes, line.at);
	return report_finish_output();
}

/* ---- CycloneDX ----------------------------------------------------------------------- */

static void print_json(const char *at, size_t bytes)
{
	putchar('"');
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)at[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* The field number `wanted` of a line between tabs. */
static struct go_text field(struct go_text line, unsigned wanted)
{
	size_t position = 0;
	struct go_text item = {0};

	for (unsigned i = 0; i <= wanted; i++) {
		if (!go_text_next(line, '\t', &position, &item))
			return (struct go_text){0};
	}
	return item;
}

static void print_component(const char *type, struct go_text name, struct go_text version)
{
	printf("{\"type\": \"%s\", \"name\": ", type);
	print_json(name.at, name.bytes);
	fputs(", \"version\": ", stdout);
	print_json(version.at, version.bytes);
	printf(", \"purl\": \"pkg:golang/%.*s@%.*s\"}", (int)name.bytes, name.at,
		(int)version.bytes, version.at);
}

int image_sbom(const char *path)
{
	static const char runtime[] = "std";
	struct opened opened = {0};
	struct go_text line;
	size_t position = 0;

	open_built(&opened, path);
	if (opened.go.version.bytes == 0)
		report_fail(
			STATUS_TOOL_FAILED, "%s: its program has no build information of Go", path);
	puts("{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.5\", \"version\": 1,");
	while (go_text_next(opened.go.modules, '\n', &position, &line)) {
		if (!go_text_starts_with(line, "mod\t"))
			continue;
		fputs(" \"metadata\": {\"component\": ", stdout);
		print_component("application", field(line, 1), field(line, 2));
		puts("},");
	}
	fputs(" \"components\": [\n  ", stdout);
	print_component(
		"library", (struct go_text){runtime, sizeof(runtime) - 1}, opened.go.version);
	position = 0;
	while (go_text_next(opened.go.modules, '\n', &position, &line)) {
		if (!go_text_starts_with(line, "dep\t"))
			continue;
		fputs(",\n  ", stdout);
		print_component("library", field(line, 1), field(line, 2));
	}
	puts("]}");
	return report_finish_output();
}
