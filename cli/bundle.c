/* Writes bundles: see cli/bundle.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bundle.h"

#define PAGE 4096

static int write_at(int fd, const void *data, uint64_t bytes, uint64_t offset)
{
	const char *at = data;

	while (bytes != 0) {
		ssize_t written = pwrite(fd, at, MIN(bytes, 1u << 30), (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		at += written;
		bytes -= (uint64_t)written;
		offset += (uint64_t)written;
	}
	return 0;
}

static uint64_t list_bytes(const struct text_list *list)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < list->count; i++)
		bytes += strlen(list->items[i]) + 1;
	return bytes;
}

static char *append_list(char *at, const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		at = stpcpy(at, list->items[i]) + 1;
	return at;
}

static char *join_strings(const struct bundle *bundle, uint64_t *bytes)
{
	char *strings, *at;

	*bytes = strlen(bundle->path) + 1 + list_bytes(bundle->arguments) +
		 list_bytes(bundle->environment) + strlen(bundle->working_directory) + 1;
	strings = alloc_zeroed(*bytes);
	at = stpcpy(strings, bundle->path) + 1;
	at = append_list(at, bundle->arguments);
	at = append_list(at, bundle->environment);
	stpcpy(at, bundle->working_directory);
	return strings;
}

static int write_interfaces(struct bundle *bundle, int fd, uint64_t *end)
{
	struct bundle_header *header = &bundle->header;
	uint64_t bytes = bundle->interface_count * sizeof(bundle->interfaces[0]);

	header->interface_count = bundle->interface_count;
	header->interfaces = ALIGN_UP(*end, sizeof(uint64_t));
	*end = header->interfaces + bytes;
	return write_at(fd, bundle->interfaces, bytes, header->interfaces);
}

static int write_disks(struct bundle *bundle, int fd, uint64_t *end)
{
	struct bundle_header *header = &bundle->header;
	uint64_t bytes = bundle->disk_count * sizeof(bundle->disks[0]);

	header->disk_count = bundle->disk_count;
	header->disks = ALIGN_UP(*end, sizeof(uint64_t));
	*end = header->disks + bytes;
	return write_at(fd, bundle->disks, bytes, header->disks);
}

static int write_modules(struct bundle *bundle, int fd, uint64_t *end)
{
	struct bundle_header *header = &bundle->header;

	for (uint32_t i = 0; i < bundle->module_count; i++) {
		const struct bundle_module *module = &bundle->modules[i];
		int error;

		*end = ALIGN_UP(*end, PAGE);
		header->modules[i] = (struct boot_module){
			.base = *end, .bytes = module->bytes, .type = module->type, .writable = 1};
		error = write_at(fd, module->data, module->bytes, *end);
		if (error != 0)
			return error;
		*end += module->bytes;
	}
	return 0;
}

int64_t bundle_write(struct bundle *bundle, int fd)
{
	struct bundle_header *header = &bundle->header;
	uint64_t end;
	char *strings = join_strings(bundle, &header->strings_bytes);
	int error;

	header->magic = BUNDLE_MAGIC;
	header->version = BUNDLE_VERSION;
	header->strings = sizeof(*header);
	header->argument_count = (uint32_t)bundle->arguments->count;
	header->environment_count = (uint32_t)bundle->environment->count;
	header->module_count = bundle->module_count;
	error = write_at(fd, strings, header->strings_bytes, header->strings);
	free(strings);
	end = header->strings + header->strings_bytes;
	if (error == 0)
		error = write_interfaces(bundle, fd, &end);
	if (error == 0)
		error = write_disks(bundle, fd, &end);
	if (error == 0)
		error = write_modules(bundle, fd, &end);
	end = ALIGN_UP(end, PAGE); /* the last module's page belongs to it alone */
	if (error == 0)
		error = write_at(fd, header, sizeof(*header), 0);
	if (error == 0 && ftruncate(fd, (off_t)end) != 0)
		error = -errno;
	return error != 0 ? error : (int64_t)end;
}
