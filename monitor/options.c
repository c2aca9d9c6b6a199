/*
 * Parses the command line; strict, because only `burrow run` writes it.
 */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/boot_info.h"
#include "monitor/message.h"
#include "monitor/options.h"

#define MEM_STEP 0x200000ull

static const char usage[] =
	"usage: burrow-monitor --kernel FILE [--mem SIZE] [--cpus N] [--files CPIO] [--image "
	"EROFS]...\n"
	"         [--sites FILE] [--fs-size SIZE]\n"
	"         [--verbose] [--trace-syscalls] [--env K=V]... [--host-env] [--cwd DIR] [--name "
	"PATH]\n"
	"         [--net NAME,tap|stream,FD,MAC,MTU,PCAP_FD [--net-settings TEXT]]... [--sniff]\n"
	"         [--disk NAME,ro|rw,FILE [--disk-mount PATH]]... [--disk-log FILE]\n"
	"         [--share ro|rw,DIRECTORY --share-mount PATH]...\n"
	"         [--hostname NAME] [--record FD] -- PROGRAM [ARGUMENT...]\n"
	"Runs a static linux/amd64 program in a VM of its own. `burrow run` starts it; see\n"
	"burrow-run(1).\n";

bool options_parse_size(const char *text, uint64_t *bytes)
{
	uint64_t value = 0;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	switch (*text) {
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'G':
	case 'g':
		shift = 30;
		break;
	case '\0':
		*bytes = value;
		return true;
	default:
		return false;
	}
	if (text[1] != '\0' || value > UINT64_MAX >> shift)
		return false;
	*bytes = value << shift;
	return true;
}

unsigned options_usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return MIN((unsigned)CPU_COUNT(&set), (unsigned)BOOT_MAX_CPUS);
}

void options_set_mem(struct options *options, const char *name, const char *text)
{
	uint64_t bytes;

	if (!options_parse_size(text, &bytes))
		message_fail(STATUS_MONITOR_FAILED,
			"%s %s: not a size; give a number with K, M or G, such as 512M", name,
			text);
	if (bytes < OPTIONS_MEM_MIN)
		message_fail(STATUS_MONITOR_FAILED,
			"%s %s: too little memory; a program needs at least %luM", name, text,
			(unsigned long)(OPTIONS_MEM_MIN >> 20));
	if (bytes > OPTIONS_MEM_MAX)
		message_fail(STATUS_MONITOR_FAILED,
			"%s %s: more than a VM can address; give at most %luG", name, text,
			(unsigned long)(OPTIONS_MEM_MAX >> 30));
	options->mem_bytes = ALIGN_UP(bytes, MEM_STEP);
}

void options_set_cpus(struct options *options, const char *name, const char *text)
{
	uint64_t value;

	if (!options_parse_size(text, &value) || value < 1 || value > BOOT_MAX_CPUS)
		message_fail(STATUS_MONITOR_FAILED, "%s %s: not a number from 1 to %d", name, text,
			BOOT_MAX_CPUS);
	options->cpus = (unsigned)value;
}

/* For parse_valued(), which reports a value that is missing. */
static void set_mem(struct options *options, const char *text)
{
	if (text)
		options_set_mem(options, "--mem", text);
}

static void set_cpus(struct options *options, const char *text)
{
	if (text)
		options_set_cpus(options, "--cpus", text);
}

static int parse_descriptor(const char *name, const char *text)
{
	uint64_t value;

	if (!options_parse_size(text, &value) || value < 3 || value > INT_MAX)
		message_fail(STATUS_MONITOR_FAILED, "%s %s: not a descriptor", name, text);
	return (int)value;
}

static const char *parse_environment(struct options *options, char *text)
{
	if (!strchr(text, '=') || text[0] == '=')
		message_fail(STATUS_MONITOR_FAILED, "--env %s: no value; write NAME=VALUE", text);
	options->environment[options->environment_count++] = text;
	return text;
}

static const char *parse_interface(struct options *options, const char *text)
{
	struct options_interface *interface = &options->interfaces[options->interface_count];
	uint8_t *mac = interface->mac;
	char kind[8];

	if (options->interface_count == BOOT_MAX_INTERFACES ||
		sscanf(text, "%15[^,],%7[a-z],%d,%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx,%u,%d",
			interface->name, kind, &interface->fd, &mac[0], &mac[1], &mac[2], &mac[3],
			&mac[4], &mac[5], &interface->mtu, &interface->pcap_fd) != 11)
		message_fail(STATUS_MONITOR_FAILED,
			"--net %s: not NAME,tap|stream,FD,MAC,MTU,PCAP_FD, or too many", text);
	interface->is_stream = strcmp(kind, "stream") == 0;
	interface->settings = "";
	options->interface_count++;
	return text;
}

static const char *parse_settings(struct options *options, const char *text)
{
	if (options->interface_count == 0)
		message_fail(STATUS_MONITOR_FAILED, "--net-settings: comes after a --net");
	options->interfaces[options->interface_count - 1].settings = text;
	return text;
}

static const char *parse_disk(struct options *options, const char *text)
{
	struct options_disk *disk = &options->disks[options->disk_count];
	char rights[4];
	int used = 0;

	if (options->disk_count == BOOT_MAX_DISKS ||
		sscanf(text, "%23[^,],%2[a-z],%n", disk->name, rights, &used) != 2 || used == 0 ||
		text[used] == '\0')
		message_fail(STATUS_MONITOR_FAILED,
			"--disk %s: not NAME,ro|rw,FILE, or more than %d", text, BOOT_MAX_DISKS);
	disk->read_only = strcmp(rights, "ro") == 0;
	disk->path = text + used;
	disk->mount_path = "";
	options->disk_count++;
	return text;
}

static const char *parse_mount(struct options *options, const char *text)
{
	struct options_disk *disk = &options->disks[options->disk_count - 1];

	if (options->disk_count == 0)
		message_fail(STATUS_MONITOR_FAILED, "--disk-mount: comes after a --disk");
	if (text[0] != '/' || strlen(text) >= sizeof(((struct boot_disk *)NULL)->mount_path))
		message_fail(STATUS_MONITOR_FAILED,
			"--disk-mount %s: not an absolute path, or too long", text);
	disk->mount_path = text;
	return text;
}

static uint64_t parse_fs_size(const char *text)
{
	uint64_t bytes;

	if (!options_parse_size(text, &bytes) || bytes < 1ull << 20 || bytes > OPTIONS_MEM_MAX)
		message_fail(
			STATUS_MONITOR_FAILED, "--fs-size %s: not a size from 1M to 512G", text);
	return bytes;
}

static void add_image(struct options *options, const char *path)
{
	if (options->image_count == BOOT_MAX_IMAGES)
		message_fail(STATUS_MONITOR_FAILED, "--image: at most %d", BOOT_MAX_IMAGES);
	options->images[options->image_count++] = path;
}

static const char *parse_share(struct options *options, const char *text)
{
	struct options_share *share = &options->shares[options->share_count];
	bool is_read_only = strncmp(text, "ro,", 3) == 0;

	if (options->share_count == BOOT_MAX_SHARES ||
		(!is_read_only && strncmp(text, "rw,", 3) != 0))
		message_fail(STATUS_MONITOR_FAILED,
			"--share %s: not ro|rw,DIRECTORY, or more than %d", text, BOOT_MAX_SHARES);
	*share = (struct options_share){is_read_only, text + 3, "/mnt"};
	options->share_count++;
	return text;
}

static const char *parse_share_mount(struct options *options, const char *text)
{
	if (options->share_count == 0)
		message_fail(STATUS_MONITOR_FAILED, "--share-mount: comes after a --share");
	if (text[0] != '/' || strlen(text) >= sizeof(((struct boot_share *)NULL)->mount_path))
		message_fail(STATUS_MONITOR_FAILED,
			"--share-mount %s: not an absolute path, or too long", text);
	options->shares[options->share_count - 1].mount_path = text;
	return text;
}

/* Options with a value. Returns false if `name` is none of them. */
static bool parse_valued(struct options *options, const char *name, char *value)
{
	if (strcmp(name, "--kernel") == 0)
		options->kernel = value;
	else if (strcmp(name, "--files") == 0)
		options->files = value;
	else if (strcmp(name, "--image") == 0)
		add_image(options, value);
	else if (strcmp(name, "--fs-size") == 0)
		options->fs_bytes = value ? parse_fs_size(value) : 0;
	else if (strcmp(name, "--sites") == 0)
		options->sites = value;
	else if (strcmp(name, "--name") == 0)
		options->name = value;
	else if (strcmp(name, "--cwd") == 0)
		options->directory = value;
	else if (strcmp(name, "--mem") == 0)
		set_mem(options, value);
	else if (strcmp(name, "--cpus") == 0)
		set_cpus(options, value);
	else if (strcmp(name, "--hostname") == 0)
		options->hostname = value;
	else if (strcmp(name, "--record") == 0)
		options->record_fd = value ? parse_descriptor("--record", value) : 0;
	else if (strcmp(name, "--net") == 0)
		(void)(value ? parse_interface(options, value) : NULL);
	else if (strcmp(name, "--net-settings") == 0)
		(void)(value ? parse_settings(options, value) : NULL);
	else if (strcmp(name, "--disk") == 0)
		(void)(value ? parse_disk(options, value) : NULL);
	else if (strcmp(name, "--disk-mount") == 0)
		(void)(value ? parse_mount(options, value) : NULL);
	else if (strcmp(name, "--share") == 0)
		(void)(value ? parse_share(options, value) : NULL);
	else if (strcmp(name, "--share-mount") == 0)
		(void)(value ? parse_share_mount(options, value) : NULL);
	else if (strcmp(name, "--disk-log") == 0)
		options->disk_log = value;
	else if (strcmp(name, "--env") == 0)
		(void)(value ? parse_environment(options, value) : NULL);
	else
		return false;
	if (!value)
		message_fail(STATUS_MONITOR_FAILED, "%s: needs a value; see --help", name);
	return true;
}

static bool parse_flag(struct options *options, const char *name)
{
	if (strcmp(name, "--verbose") == 0)
		options->verbose = true;
	else if (strcmp(name, "--trace-syscalls") == 0)
		options->trace_syscalls = true;
	else if (strcmp(name, "--sniff") == 0)
		options->sniff = true;
	else if (strcmp(name, "--host-env") == 0)
		options->host_environment = true;
	else
		return false;
	return true;
}

void options_parse(struct options *options, int argc, char **argv)
{
	int i;

	*options = (struct options){.mem_bytes = OPTIONS_MEM_DEFAULT, .environment = argv};
	/* --env values are collected at the front of argv, behind the reading position. */
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			message_write(usage, sizeof(usage) - 1);
			exit(0);
		}
		if (parse_flag(options, argv[i]))
			continue;
		if (!parse_valued(options, argv[i], argv[i + 1]))
			message_fail(STATUS_MONITOR_FAILED,
				"%s: unknown option; the program goes after --, see --help",
				argv[i]);
		i++;
	}
	if (i + 1 >= argc)
		message_fail(
			STATUS_MONITOR_FAILED, "no program given; write it after --, see --help");
	if (!options->kernel)
		message_fail(STATUS_MONITOR_FAILED, "no kernel given; use --kernel FILE");
	options->arguments = argv + i + 1;
	options->argument_count = (unsigned)(argc - i - 1);
	if (!options->cpus)
		options->cpus = options_usable_cpus();
}
