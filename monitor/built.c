/*
 * See built.h. Values come from the manifest, then from variables of the environment, which
 * the program does not see. They are checked by whoever takes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/elf.h"
#include "host/environment.h"
#include "host/machines.h"
#include "host/report.h"
#include "lib/image.h"
#include "lib/manifest.h"
#include "monitor/built.h"
#include "monitor/message.h"

#define VARIABLE "BURROW_"

/* What is read before it is understood. */
struct given {
	const char *mem, *mem_from, *cpus, *cpus_from;
	struct text_list arguments; /* of the manifest */
	struct text_list defaults;  /* of the program's environment */
	struct text_list needed;    /* names of interfaces that somebody must give */
	struct text_list environment;
	struct network network;
};

static struct given given = {.mem_from = "mem", .cpus_from = "cpus"};

/* ---- finding the file --------------------------------------------------------------- */

/* The start of the file: the program headers follow the ELF header. */
static const uint8_t *head_of_file(void)
{
	return (const uint8_t *)getauxval(AT_PHDR) - sizeof(struct elf_header);
}

const struct image_header *built_find(void)
{
	const struct image_header *header;

	if (getauxval(AT_PHDR) % 4096 != sizeof(struct elf_header))
		return NULL;
	header = image_header(head_of_file());
	return header->magic == IMAGE_MAGIC ? header : NULL;
}

static int open_self(const char **path)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	*path = (const char *)getauxval(AT_EXECFN);
	if (fd < 0 && *path) /* no /proc here */
		fd = open(*path, O_RDONLY | O_CLOEXEC);
	return fd;
}

static void set_file(struct machine_file *file, const struct image_header *header,
	enum image_part_type type, const char *path, int fd)
{
	const struct image_part *part = image_part(header, type);

	if (part)
		*file = (struct machine_file){path, fd, part->offset, part->bytes};
}

void built_open(struct machine *machine, const struct image_header *header)
{
	const struct image_part *kernel = image_part(header, IMAGE_PART_KERNEL);
	static uint8_t start[IMAGE_HEADER_OFFSET + sizeof(*header)];
	struct stat status;
	const char *path;
	int fd = open_self(&path);

	if (fd < 0 || fstat(fd, &status) < 0)
		message_fail(STATUS_MONITOR_FAILED, "cannot open this file: %s", strerror(errno));
	/* By path it might be another file meanwhile. */
	if (pread(fd, start, sizeof(start), 0) != sizeof(start) ||
		memcmp(start, head_of_file(), sizeof(start)) != 0 ||
		image_check(start, (uint64_t)status.st_size) != IMAGE_OK)
		message_fail(STATUS_MONITOR_FAILED,
			"this file is damaged, or was cut short: build it again");
	set_file(&machine->program, header, IMAGE_PART_PROGRAM, path, fd);
	set_file(&machine->sites, header, IMAGE_PART_SITES, path, fd);
	set_file(&machine->files, header, IMAGE_PART_FILES, path, fd);
	set_file(&machine->images[0], header, IMAGE_PART_TREE, path, fd);
	machine->options.image_count = machine->images[0].path ? 1 : 0;
	kernel_file_open_part(&machine->kernel, path, fd, kernel->offset, kernel->bytes);
}

/* ---- the manifest --------------------------------------------------------------------- */

static char *copy_value(const struct manifest_entry *entry)
{
	char *value = alloc_zeroed(entry->value_bytes + 1);

	manifest_value(entry, value);
	return value;
}

static void take_entry(struct options *options, const struct manifest_entry *entry)
{
	struct network *network = &given.network;
	char *value = copy_value(entry);

	switch (entry->key) {
	case MANIFEST_MEM:
		given.mem = value;
		break;
	case MANIFEST_CPUS:
		given.cpus = value;
		break;
	case MANIFEST_ARG:
		text_list_add(&given.arguments, value);
		break;
	case MANIFEST_ENV:
		text_list_add(&given.defaults, value);
		break;
	case MANIFEST_CWD:
		options->directory = value;
		break;
	case MANIFEST_HOSTNAME:
		network->hostname = value;
		break;
	case MANIFEST_NET:
		text_list_add(
			strchr(value, '=') ? &network->interfaces_text : &given.needed, value);
		break;
	case MANIFEST_IP:
		text_list_add(&network->addresses_text, value);
		break;
	case MANIFEST_MAC:
		text_list_add(&network->macs_text, value);
		break;
	case MANIFEST_PORT:
		text_list_add(&network->ports_text, value);
		break;
	case MANIFEST_BUILD:
	case MANIFEST_PROGRAM:
		break;
	default:
		message_fail(STATUS_MONITOR_FAILED,
			"the manifest asks for %.*s=%s, which this monitor does not have; build "
			"the file again",
			(int)entry->name_bytes, entry->name, value);
	}
}

static void read_manifest(struct options *options, const struct image_header *header)
{
	const struct image_part *part = image_part(header, IMAGE_PART_MANIFEST);
	const char *text = (const char *)head_of_file() + part->offset;
	struct manifest_entry entry;
	size_t position = 0;

	if (part->offset + part->bytes > header->head_bytes ||
		manifest_check(text, part->bytes) != 0)
		message_fail(STATUS_MONITOR_FAILED,
			"the manifest of this file cannot be read: build it again");
	while (manifest_next(text, part->bytes, &position, &entry))
		take_entry(options, &entry);
}

/* ---- the environment -------------------------------------------------------------------- */

/* The words of a variable, between spaces; they replace what the manifest says. */
static void replace_list(struct text_list *list, const char *value)
{
	*list = (struct text_list){0};
	while (*value) {
		size_t bytes = strcspn(value, " ");

		if (bytes)
			text_list_add(list, alloc_text("%.*s", (int)bytes, value));
		value += bytes + (value[bytes] == ' ');
	}
}

static size_t name_bytes(const char *text)
{
	return strcspn(text, "=");
}

static bool has_same_name(const char *a, const char *b)
{
	return name_bytes(a) == name_bytes(b) && memcmp(a, b, name_bytes(a)) == 0;
}

/* NAME=BACKEND, each instead of the interface of that name. */
static void replace_interfaces(const char *value)
{
	struct text_list words = {0}, *list = &given.network.interfaces_text;

	replace_list(&words, value);
	for (size_t i = 0; i < words.count; i++) {
		size_t at = 0;
		char *word = strchr(words.items[i], '=') ? words.items[i]
							 : alloc_text("eth0=%s", words.items[i]);

		while (at < list->count && !has_same_name(list->items[at], word))
			at++;
		if (at < list->count)
			list->items[at] = word;
		else
			text_list_add(list, word);
	}
}

static bool is_switched_on(const char *name, const char *value)
{
	if (*value && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		message_fail(STATUS_MONITOR_FAILED, VARIABLE "%s=%s: write 1, or 0", name, value);
	return *value == '1';
}

/* False: none of ours, it is the program's. */
static bool take_variable(struct options *options, const char *name, char *value)
{
	struct network *network = &given.network;

	if (strcmp(name, "MEM") == 0) {
		given.mem = value;
		given.mem_from = VARIABLE "MEM";
	} else if (strcmp(name, "CPUS") == 0) {
		given.cpus = value;
		given.cpus_from = VARIABLE "CPUS";
	} else if (strcmp(name, "CWD") == 0) {
		options->directory = value;
	} else if (strcmp(name, "NET") == 0) {
		replace_interfaces(value);
	} else if (strcmp(name, "PORTS") == 0) {
		replace_list(&network->ports_text, value);
	} else if (strcmp(name, "IP") == 0) {
		replace_list(&network->addresses_text, value);
	} else if (strcmp(name, "MAC") == 0) {
		replace_list(&network->macs_text, value);
	} else if (strcmp(name, "PCAP") == 0) {
		replace_list(&network->pcaps_text, value);
	} else if (strcmp(name, "SNIFF") == 0) {
		network->sniff = is_switched_on(name, value);
	} else if (strcmp(name, "HOSTNAME") == 0) {
		network->hostname = value;
	} else if (strcmp(name, "VERBOSE") == 0) {
		options->verbose = is_switched_on(name, value);
	} else if (strcmp(name, "TRACE") == 0) {
		options->trace_syscalls = is_switched_on(name, value);
	} else {
		return false;
	}
	return true;
}

/* What is left is the program's; the array stays the host's. */
static void read_environment(struct options *options)
{
	for (char **item = environ; *item; item++) {
		size_t bytes = name_bytes(*item);
		char name[32];

		if (strncmp(*item, VARIABLE, sizeof(VARIABLE) - 1) == 0 &&
			bytes - (sizeof(VARIABLE) - 1) < sizeof(name) && (*item)[bytes] == '=') {
			size_t length = bytes - (sizeof(VARIABLE) - 1);

			memcpy(name, *item + sizeof(VARIABLE) - 1, length);
			name[length] = 0;
			if (take_variable(options, name, *item + bytes + 1))
				continue;
		}
		text_list_add(&given.environment, *item);
	}
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void check_needed(void)
{
	const struct text_list *list = &given.network.interfaces_text;

	for (size_t i = 0; i < given.needed.count; i++) {
		const char *name = given.needed.items[i];
		size_t at = 0;

		while (at < list->count && !has_same_name(list->items[at], name))
			at++;
		if (at == list->count &&
			!(given.network.ports_text.count && given.needed.count == 1 &&
				strcmp(name, "eth0") == 0))
			message_fail(STATUS_MONITOR_FAILED,
				"this program needs the network interface %s: start it "
				"with " VARIABLE "NET=%s=passt, or %s=tap:DEVICE",
				name, name, name);
	}
}

static void set_arguments(struct options *options, int argc, char **argv)
{
	if (argc == 1 && given.arguments.count) {
		text_list_add_first(&given.arguments, argv[0]);
		argv = given.arguments.items;
		argc = (int)given.arguments.count;
	}
	options->arguments = argv;
	options->argument_count = (unsigned)argc;
}

static void set_environment(struct options *options)
{
	struct text_list made = {0};
	const struct environment_wish wish = {
		.host = given.environment.items ? given.environment.items : (char *[]){NULL},
		.defaults = &given.defaults,
		.working_directory = options->directory,
		.memory_bytes = options->mem_bytes,
	};

	environment_make(&wish, &made);
	options->environment = made.items;
	options->environment_count = (unsigned)made.count;
}

static void set_speaker(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	message_set_speaker(alloc_text("burrow: %s", name));
	report_set_command(name);
}

/* For `burrow ps`. Where there is no directory for records, the VM runs without one. */
static void register_machine(struct options *options)
{
	struct machine_record *record;
	struct machine_handle handle;
	struct timespec now;
	size_t used = 0;

	if (machines_register(NULL, options->arguments[0], &handle) != 0)
		return;
	record = handle.record;
	clock_gettime(CLOCK_REALTIME, &now);
	record->start_time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	record->control_pid = record->machine_pid = getpid();
	record->memory_bytes = options->mem_bytes;
	record->cpus = options->cpus;
	memcpy(record->platform, "kvm", 4);
	for (unsigned i = 0; i < options->argument_count && used < sizeof(record->program); i++)
		used += (size_t)snprintf(record->program + used, sizeof(record->program) - used,
			"%s%s", i != 0 ? " " : "", options->arguments[i]);
	used = 0;
	for (size_t i = 0; i < given.network.ports_text.count && used < sizeof(record->ports); i++)
		used += (size_t)snprintf(record->ports + used, sizeof(record->ports) - used, "%s%s",
			i != 0 ? " " : "", given.network.ports_text.items[i]);
	record->state = MACHINE_RUNNING;
	options->record_fd = handle.fd;
}

void built_options(
	struct machine *machine, const struct image_header *header, int argc, char **argv)
{
	struct options *options = &machine->options;

	set_speaker(argc ? argv[0] : "program");
	if (argc == 0)
		message_fail(STATUS_MONITOR_FAILED, "started without a name");
	if (header->version != IMAGE_VERSION)
		message_fail(STATUS_MONITOR_FAILED, "this file is damaged: build it again");
	*options = (struct options){.mem_bytes = OPTIONS_MEM_DEFAULT, .directory = "/"};
	read_manifest(options, header);
	read_environment(options);
	if (given.mem)
		options_set_mem(options, given.mem_from, given.mem);
	if (given.cpus)
		options_set_cpus(options, given.cpus_from, given.cpus);
	else
		options->cpus = options_usable_cpus();
	if (options->directory[0] != '/')
		message_fail(STATUS_MONITOR_FAILED, VARIABLE "CWD=%s: not an absolute path",
			options->directory);
	check_needed();
	set_arguments(options, argc, argv);
	set_environment(options);
	built_start_network(options, &given.network);
	register_machine(options);
}
