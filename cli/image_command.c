/* `burrow image ls`: what files an image holds, and what takes the space. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/linux/errno.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/image_inspect.h"
#include "cli/image_map.h"
#include "host/report.h"

const char image_help[] =
	"usage: burrow image ls [flags] FILE\n"
	"       burrow image inspect|sbom FILE\n"
	"\n"
	"ls shows the files in an image: an EROFS file, or a program that burrow build made.\n"
	"inspect shows the parts of such a program, its manifest, its version of Go and its\n"
	"modules; sbom prints the modules as CycloneDX.\n"
	"\n"
	"  --depth N    levels of directories to draw (default 2)\n"
	"  --all        list every file, as ls -l\n"
	"  --svg FILE   draw what takes the space as a treemap\n"
	"  --json       one JSON object a file, one a line\n"
	"  --help, -h   this text\n";

static void *map_file(const char *path, uint64_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *data;

	if (fd < 0 || fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		report_fail(STATUS_TOOL_FAILED, "%s: not an image", path);
	*bytes = (uint64_t)status.st_size;
	data = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	close(fd);
	return data;
}

static void open_image(struct erofs_image *image, const char *path)
{
	uint64_t bytes, offset, length;
	const uint8_t *data = map_file(path, &bytes);
	int error = erofs_open(image, data, bytes);

	if (error == -LINUX_EINVAL && image_map_find(data, bytes, &offset, &length))
		error = erofs_open(image, data + offset, length);
	if (error == -LINUX_EINVAL)
		report_fail(STATUS_TOOL_FAILED, "%s: neither an EROFS image nor a program with one",
			path);
	if (error == -LINUX_EOPNOTSUPP)
		report_fail(STATUS_TOOL_FAILED,
			"%s: an EROFS image of a kind that is not read (compressed?)", path);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: damaged", path);
}

static unsigned parse_depth(const char *text)
{
	char *end = NULL;
	unsigned long depth = text != NULL ? strtoul(text, &end, 10) : 2;

	if (text != NULL && (*text < '0' || *text > '9' || *end != 0 || depth > 255))
		report_fail(STATUS_TOOL_FAILED, "--depth %s: not a number from 0 to 255", text);
	return (unsigned)depth;
}

static void write_svg(const struct image_map *map, const char *path, const char *title)
{
	FILE *stream = fopen(path, "we");

	if (stream != NULL)
		image_map_draw_svg(map, stream, title);
	if (stream == NULL || fclose(stream) != 0)
		report_fail(STATUS_TOOL_FAILED, "--svg %s: %s", path, strerror(errno));
}

int image_main(int argc, char **argv)
{
	const char *svg = NULL, *depth_text = NULL;
	bool all = false, json = false;
	const struct flag flags[] = {
		{"--depth", FLAG_TEXT, &depth_text, "N"},
		{"--all", FLAG_SWITCH, &all, NULL},
		{"--svg", FLAG_TEXT, &svg, "FILE"},
		{"--json", FLAG_SWITCH, &json, NULL},
		{NULL, FLAG_SWITCH, NULL, NULL},
	};
	bool is_ls = argc > 0 && strcmp(argv[0], "ls") == 0;
	struct erofs_image image;
	struct image_map map;
	int used;

	if (argc == 2 && strcmp(argv[0], "inspect") == 0)
		return image_inspect(argv[1]);
	if (argc == 2 && strcmp(argv[0], "sbom") == 0)
		return image_sbom(argv[1]);
	if (!is_ls && (argc == 0 || argv[0][0] != '-'))
		report_fail(STATUS_TOOL_FAILED, "write: burrow image ls FILE");
	argc -= is_ls;
	argv += is_ls;
	used = flags_parse(flags, argc, argv, image_help);
	if (!is_ls || used + 1 != argc)
		report_fail(STATUS_TOOL_FAILED, "write: burrow image ls FILE");
	open_image(&image, argv[used]);
	if (!image_map_read(&map, &image))
		report_fail(STATUS_TOOL_FAILED, "%s: damaged", argv[used]);
	if (json)
		image_map_print_json(&map);
	else if (all)
		image_map_print_list(&map);
	else if (svg == NULL)
		image_map_print_tree(&map, parse_depth(depth_text));
	if (svg != NULL)
		write_svg(&map, svg, argv[used]);
	return report_finish_output();
}
