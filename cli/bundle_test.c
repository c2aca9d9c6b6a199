/* Tests of cli/bundle.c: the bundle is read back as the kernel does. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "lib/test.h"

static char word_program[] = "hello", word_flag[] = "-x", word_empty[] = "",
	    word_path[] = "PATH=/bin";

static const uint8_t *write_and_map(struct bundle *bundle, int64_t *bytes)
{
	int fd = memfd_create("bundle", 0);
	void *image;

	*bytes = bundle_write(bundle, fd);
	CHECK(*bytes > 0);
	CHECK_EQUAL(*bytes, lseek(fd, 0, SEEK_END));
	image = mmap(NULL, (size_t)*bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(image != MAP_FAILED);
	close(fd);
	return image;
}

TEST(bundle_reads_back)
{
	char *data = calloc(1, 5000);
	struct text_list arguments = {0}, environment = {0};
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	const struct boot_interface *interfaces;
	const struct boot_disk *disks;
	const struct bundle_header *header;
	const uint8_t *image;
	int64_t bytes;

	text_list_add(&arguments, word_program);
	text_list_add(&arguments, word_flag);
	text_list_add(&arguments, word_empty);
	text_list_add(&environment, word_path);
	data[4999] = 'z';
	bundle->path = "/bin/hello";
	bundle->arguments = &arguments;
	bundle->environment = &environment;
	bundle->working_directory = "/tmp";
	bundle->modules[0] = (struct bundle_module){BOOT_MODULE_PROGRAM, data, 5000};
	bundle->modules[1] = (struct bundle_module){BOOT_MODULE_SITES, data + 4990, 10};
	bundle->module_count = 2;
	bundle->disks = (struct boot_disk[]){{.name = "data", .mount_path = "/data"}};
	bundle->disk_count = 1;
	bundle->interfaces = (struct boot_interface[]){{.name = "eth0"}, {.name = "eth1"}};
	bundle->interface_count = 2;
	image = write_and_map(bundle, &bytes);
	header = (const void *)image;
	CHECK(header->magic == BUNDLE_MAGIC);
	CHECK_EQUAL(header->version, BUNDLE_VERSION);
	CHECK_EQUAL(header->argument_count, 3);
	CHECK_EQUAL(header->environment_count, 1);
	CHECK_EQUAL(header->strings_bytes, 11 + 6 + 3 + 1 + 10 + 5);
	CHECK(memcmp(image + header->strings, "/bin/hello\0hello\0-x\0\0PATH=/bin\0/tmp",
		      header->strings_bytes) == 0);
	CHECK_EQUAL(header->interface_count, 2);
	interfaces = (const void *)(image + header->interfaces);
	CHECK(strcmp(interfaces[1].name, "eth1") == 0);
	CHECK_EQUAL(header->disk_count, 1);
	disks = (const void *)(image + header->disks);
	CHECK(strcmp(disks[0].mount_path, "/data") == 0);
	CHECK_EQUAL(header->module_count, 2);
	CHECK_EQUAL(header->modules[0].base, 4096);
	CHECK_EQUAL(header->modules[0].bytes, 5000);
	CHECK_EQUAL(header->modules[0].type, BOOT_MODULE_PROGRAM);
	CHECK_EQUAL(image[4096 + 4999], 'z');
	CHECK_EQUAL(header->modules[1].base, 3 * 4096);
	CHECK_EQUAL(image[3 * 4096 + 9], 'z');
	CHECK_EQUAL(bytes, 4 * 4096);
	munmap((void *)(uintptr_t)image, (size_t)bytes);
	free(arguments.items);
	free(environment.items);
	free(bundle);
	free(data);
}

TEST(unwritable_descriptor_is_an_error)
{
	struct text_list none = {0};
	struct bundle *bundle = calloc(1, sizeof(*bundle));

	bundle->path = "/x";
	bundle->arguments = bundle->environment = &none;
	bundle->working_directory = "/";
	CHECK_EQUAL(bundle_write(bundle, -1), -EBADF);
	free(bundle);
}

TEST_DEFINE_MAIN
