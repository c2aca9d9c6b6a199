/* Built files as programs to run: see cli/built_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/built_file.h"
#include "host/report.h"
#include "lib/image.h"
#include "lib/manifest.h"

static void map(struct built_file *built, const char *path, int fd, const struct stat *status)
{
	const uint8_t *file = mmap(NULL, (size_t)status->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	enum image_error error;

	if (file == MAP_FAILED)
		return;
	error = image_check(file, (uint64_t)status->st_size);
	if (error == IMAGE_OK) {
		*built = (struct built_file){file, image_header(file)};
		return;
	}
	munmap((void *)(uintptr_t)file, (size_t)status->st_size);
	if (error == IMAGE_OF_OTHER_VERSION)
		report_fail(STATUS_NOT_RUNNABLE,
			"%s: built by another release of burrow; run it by itself, or build it "
			"again",
			path);
	if (error == IMAGE_IS_DAMAGED)
		report_fail(STATUS_NOT_RUNNABLE,
			"%s: a built file that is damaged, or was cut short: build it again", path);
}

void built_file_open(struct built_file *built, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	*built = (struct built_file){0};
	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
		status.st_size > (off_t)(IMAGE_HEADER_OFFSET + sizeof(struct image_header)))
		map(built, path, fd, &status);
	close(fd);
}

int built_file_part(const struct built_file *built, enum image_part_type type, const char *name)
{
	const struct image_part *part =
		built->file != NULL ? image_part(built->header, type) : NULL;
	uint64_t done = 0;
	int fd;

	if (part == NULL)
		return -1;
	fd = memfd_create(name, 0);
	if (fd < 0)
		report_fail(
			STATUS_TOOL_FAILED, "cannot make a file in memory: %s", strerror(errno));
	while (done < part->bytes) {
		ssize_t written = write(fd, built->file + part->offset + done, part->bytes - done);

		if (written <= 0)
			report_fail(
				STATUS_TOOL_FAILED, "cannot copy the program: %s", strerror(errno));
		done += (uint64_t)written;
	}
	return fd;
}

/* ---- the manifest ---------------------------------------------------------------- */

/* Lists that stand for the manifest's as a whole if a flag gave one. */
struct lists_given {
	bool arguments, nets, addresses, macs, ports;
};

static void take_text(const char **target, char *value)
{
	if (*target == NULL)
		*target = value;
}

static void take_item(struct text_list *list, bool was_given, char *value)
{
	if (!was_given)
		text_list_add(list, value);
}

static void take_entry(struct options *options, const struct lists_given *given,
	enum manifest_key key, char *value)
{
	struct network *network = &options->network;

	switch (key) {
	case MANIFEST_MEM:
		take_text(&options->memory_text, value);
		break;
	case MANIFEST_CPUS:
		take_text(&options->cpus_text, value);
		break;
	case MANIFEST_CWD:
		take_text(&options->working_directory, value);
		break;
	case MANIFEST_HOSTNAME:
		take_text(&network->hostname, value);
		break;
	case MANIFEST_ENV:
		text_list_add(&options->environment_defaults, value);
		break;
	case MANIFEST_ARG:
		take_item(&options->arguments, given->arguments, value);
		break;
	case MANIFEST_NET:
		if (strchr(value, '=') != NULL)
			take_item(&network->interfaces_text, given->nets, value);
		else if (!given->nets && !given->ports)
			report_fail(STATUS_TOOL_FAILED,
				"this program needs the network interface %s: give it --net "
				"%s=passt or --net %s=tap:DEVICE",
				value, value, value);
		break;
	case MANIFEST_IP:
		take_item(&network->addresses_text, given->addresses, value);
		break;
	case MANIFEST_MAC:
		take_item(&network->macs_text, given->macs, value);
		break;
	case MANIFEST_PORT:
		take_item(&network->ports_text, given->ports, value);
		break;
	case MANIFEST_BUILD:
	case MANIFEST_PROGRAM:
		break;
	default:
		report_fail(STATUS_NOT_RUNNABLE,
			"the manifest asks for %s, which this release cannot give; run the file by "
			"itself, or build it again",
			value);
	}
}

void built_file_add_manifest(const struct built_file *built, struct options *options)
{
	const struct image_part *part = image_part(built->header, IMAGE_PART_MANIFEST);
	const char *text = (const char *)built->file + part->offset;
	const struct network *network = &options->network;
	const struct lists_given given = {
		.arguments = options->arguments.count != 0,
		.nets = network->interfaces_text.count != 0,
		.addresses = network->addresses_text.count + network->addresses6_text.count != 0,
		.macs = network->macs_text.count != 0,
		.ports = network->ports_text.count != 0,
	};
	struct manifest_entry entry;
	size_t position = 0;

	if (manifest_check(text, part->bytes) != 0)
		report_fail(STATUS_NOT_RUNNABLE,
			"the manifest of this file cannot be read: build it again");
	while (manifest_next(text, part->bytes, &position, &entry)) {
		char *value = alloc_zeroed(entry.value_bytes + 1);

		manifest_value(&entry, value);
		take_entry(options, &given, entry.key, value);
	}
}
