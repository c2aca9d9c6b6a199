/*
 * `burrow build`: one file that holds a program, a kernel, a monitor made for it, files, and
 * a manifest, and is a virtual machine by itself (abi/image.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/file_images.h"
#include "cli/flags.h"
#include "cli/image_write.h"
#include "cli/install.h"
#include "cli/options.h"
#include "cli/version.h"
#include "host/report.h"
#include "lib/manifest.h"
#include "lib/syscall_sites.h"

const char build_help[] =
	"usage: burrow build [flags] PROGRAM [-o FILE] [-- arguments…]\n"
	"\n"
	"Makes one executable file of PROGRAM, a static linux/amd64 executable or a Go package.\n"
	"Started, it is a virtual machine that behaves like the program: `./server -addr :80`.\n"
	"QEMU boots the same file (-kernel server). What the flags say is kept in the file;\n"
	"variables such as BURROW_MEM, or `burrow run [flags] ./server`, say otherwise.\n"
	"\n"
	"  -o FILE            the file to make (default: the package's last word)\n"
	"  --mem SIZE         memory of the VM, such as 512M (default) or 2G; used as needed\n"
	"  --cpus N           processors (default: as many as the process may use)\n"
	"  --env NAME=VALUE   in the program's environment unless it is set; may be repeated\n"
	"  --cwd DIR          current directory inside the VM (default /)\n"
	"  --files FILE.cpio  archive (cpio newc) to unpack over the VM's root\n"
	"  --add HOST[:GUEST] put a file or directory into the VM; may be repeated\n"
	"  --rootfs TREE      directory or tar archive that is the VM's root\n"
	"  --files-limit SIZE most that --add may put in (default 256M)\n"
	"  --net NAME         a network interface that whoever starts the file must give\n"
	"  --net NAME=BACKEND as `burrow run --net`, unless the starter says otherwise\n"
	"  -p [IP:]HOST:GUEST[/udp]  forward a port, by passt; may be repeated\n"
	"  --ip, --ip6, --mac, --hostname  as `burrow run`\n"
	"  --verbose          say what is put in\n"
	"  --help, -h         this text\n"
	"\n"
	"Arguments after -- are used when the file is started without any.\n"
	"The same sources give the same file, bit for bit.\n";

struct build {
	struct options options;
	const char *output;
	struct text_list net; /* as given, names without backend too */
	struct program program;
	struct check check;
};

/* ---- what is asked for -------------------------------------------------------------- */

static bool names_backend(const char *net)
{
	return strchr(net, '=') != NULL || strncmp(net, "tap:", 4) == 0 ||
	       strcmp(net, "passt") == 0 || strcmp(net, "none") == 0;
}

/* The whole network is checked, as if what must be given were given. */
static void understand_network(struct build *build)
{
	struct network *network = &build->options.network;

	for (size_t i = 0; i < build->net.count; i++) {
		char *net = build->net.items[i];

		text_list_add(&network->interfaces_text,
			names_backend(net) ? net : alloc_text("%s=passt", net));
	}
	network_understand(network);
}

/* Flags may follow PROGRAM, up to `--`. */
static void parse(struct build *build, int argc, char **argv)
{
	struct options *options = &build->options;
	const struct flag flags[] = {
		{"-o", FLAG_TEXT, &build->output, "FILE"},
		{"--mem", FLAG_TEXT, &options->memory_text, "SIZE"},
		{"--cpus", FLAG_TEXT, &options->cpus_text, "N"},
		{"--env", FLAG_LIST, &options->environment, "NAME=VALUE"},
		{"--cwd", FLAG_TEXT, &options->working_directory, "DIR"},
		{"--files", FLAG_TEXT, &options->files, "FILE.cpio"},
		{"--add", FLAG_LIST, &options->add, "HOST[:GUEST]"},
		{"--rootfs", FLAG_TEXT, &options->rootfs, "TREE"},
		{"--files-limit", FLAG_TEXT, &options->files_limit_text, "SIZE"},
		{"--net", FLAG_LIST, &build->net, "NAME"},
		{"-p", FLAG_LIST, &options->network.ports_text, "HOST_PORT:GUEST_PORT"},
		{"--ip", FLAG_LIST, &options->network.addresses_text, "ADDRESS/PREFIX,gw=ADDRESS"},
		{"--ip6", FLAG_LIST, &options->network.addresses6_text, "ADDRESS/PREFIX"},
		{"--mac", FLAG_LIST, &options->network.macs_text, "MAC"},
		{"--hostname", FLAG_TEXT, &options->network.hostname, "NAME"},
		{"--verbose", FLAG_SWITCH, &options->verbose, NULL},
		{NULL, FLAG_SWITCH, NULL, NULL},
	};
	int at = flags_parse(flags, argc, argv, build_help);

	if (at < argc && !(at > 0 && strcmp(argv[at - 1], "--") == 0)) {
		options->program = argv[at++];
		at += flags_parse(flags, argc - at, argv + at, build_help);
		if (at < argc && strcmp(argv[at - 1], "--") != 0)
			report_fail(STATUS_TOOL_FAILED,
				"%s: a second PROGRAM; arguments of the first are written after --",
				argv[at]);
	}
	for (; at < argc; at++)
		text_list_add(&options->arguments, argv[at]);
	understand_network(build);
	options_understand(options);
	if (options->program == NULL)
		report_fail(STATUS_TOOL_FAILED, "no PROGRAM given: an executable, or a Go package "
						"such as . or ./cmd/x");
}

/* ---- the sources ----------------------------------------------------------------------- */

static struct image_bytes map_descriptor(int fd, const char *what)
{
	struct stat status;
	void *data = NULL;

	if (fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", what, strerror(errno));
	if (status.st_size != 0)
		data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		report_fail(STATUS_TOOL_FAILED, "%s: cannot map it: %s", what, strerror(errno));
	return (struct image_bytes){data, (uint64_t)status.st_size};
}

static struct image_bytes map_installed(const char *name)
{
	char *path = install_find(name);
	int fd;

	if (path == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s is not installed: looked in %s; run make, or set BURROW_LIBEXEC", name,
			install_places());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	return map_descriptor(fd, path);
}

static bool links(const struct go_binary *go, const char *function)
{
	struct go_text name;
	size_t position = 0;

	while (go_text_next(go->functions, 0, &position, &name)) {
		if (go_text_is(name, function))
			return true;
	}
	return false;
}

/* The default files that the program may open; all, if that cannot be told. */
static unsigned default_files(const struct check *check)
{
	static const struct {
		const char *function;
		unsigned files;
	} users[] = {
		{"time.LoadLocation", DEFAULT_TIME_ZONES},
		{"crypto/x509.loadSystemRoots", DEFAULT_CERTIFICATES},
		{"net.readServices", DEFAULT_NAMES},
		{"net.readProtocols", DEFAULT_NAMES},
		{"mime.TypeByExtension", DEFAULT_NAMES},
	};
	unsigned wanted = 0;

	if (!check->is_go || check->go.functions.bytes == 0)
		return DEFAULT_ALL;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		if (links(&check->go, users[i].function))
			wanted |= users[i].files;
	}
	return wanted;
}

/* Default files, --rootfs and --add. */
static struct image_bytes make_tree(const struct options *options, const struct check *check)
{
	unsigned wanted = default_files(check);
	uint64_t bytes;

	if (wanted == 0 && options->rootfs == NULL && options->add.count == 0)
		return (struct image_bytes){NULL, 0};
	return map_descriptor(file_images_make(options, wanted, &bytes), "the files for the VM");
}

static struct image_bytes open_archive(const struct options *options)
{
	if (options->files == NULL)
		return (struct image_bytes){NULL, 0};
	return map_descriptor(
		archive_open(options->files, options->files_limit_bytes), options->files);
}

static struct image_bytes find_sites(const struct program *program)
{
	struct syscall_site *sites = alloc_zeroed(SYSCALL_SITES_MAX * sizeof(*sites));
	size_t count = syscall_sites_find(
		program->image, program->bytes, &program->elf, sites, SYSCALL_SITES_MAX);

	return (struct image_bytes){sites, count * sizeof(*sites)};
}

/* ---- the manifest ------------------------------------------------------------------------ */

static void write_entry(FILE *stream, const char *name, const char *value, size_t bytes)
{
	fprintf(stream, "%s=", name);
	for (size_t i = 0; i < bytes; i++) {
		if (value[i] == '\n')
			fputs("\\n", stream);
		else if (value[i] == '\\')
			fputs("\\\\", stream);
		else
			putc(value[i], stream);
	}
	putc('\n', stream);
}

static void write_text(FILE *stream, enum manifest_key key, const char *value)
{
	if (value != NULL)
		write_entry(stream, manifest_key_name(key), value, strlen(value));
}

static void write_list(FILE *stream, enum manifest_key key, const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		write_text(stream, key, list->items[i]);
}

static const char *last_word(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* `mod\tPATH\tVERSION\tSUM` as PATH VERSION. */
static void write_module(FILE *stream, const struct go_binary *go)
{
	struct go_text line;
	size_t position = 0;

	while (go_text_next(go->modules, '\n', &position, &line)) {
		const char *path = line.at + 4, *tab;
		char *text;

		if (!go_text_starts_with(line, "mod\t"))
			continue;
		text = alloc_text("%.*s", (int)(line.bytes - 4), path);
		tab = strchr(text, '\t');
		if (tab != NULL && strchr(tab + 1, '\t') != NULL)
			*strchr(tab + 1, '\t') = 0;
		for (char *at = text; *at != 0; at++) {
			if (*at == '\t')
				*at = ' ';
		}
		write_entry(stream, "build.module", text, strlen(text));
		free(text);
	}
}

static struct image_bytes make_manifest(const struct build *build, const char *monitor)
{
	const struct options *options = &build->options;
	const struct network *network = &options->network;
	const struct go_text *go = &build->check.go.version;
	char *text = NULL, *program = alloc_text("/%s", last_word(build->program.name));
	size_t bytes = 0, line;
	FILE *stream = open_memstream(&text, &bytes);

	if (stream == NULL)
		report_fail(STATUS_TOOL_FAILED, "no memory");
	fputs(MANIFEST_FIRST_LINE, stream);
	write_entry(stream, "build.burrow", BURROW_VERSION, strlen(BURROW_VERSION));
	write_entry(stream, "build.monitor", monitor, strlen(monitor));
	if (build->check.is_go) {
		write_entry(stream, "build.go", go->at, go->bytes);
		write_module(stream, &build->check.go);
	}
	write_text(stream, MANIFEST_PROGRAM, program);
	write_text(stream, MANIFEST_MEM, options->memory_text);
	write_text(stream, MANIFEST_CPUS, options->cpus_text);
	write_list(stream, MANIFEST_ARG, &options->arguments);
	write_list(stream, MANIFEST_ENV, &options->environment);
	write_text(stream, MANIFEST_CWD, options->working_directory);
	write_text(stream, MANIFEST_HOSTNAME, network->hostname);
	write_list(stream, MANIFEST_NET, &build->net);
	write_list(stream, MANIFEST_IP, &network->addresses_text);
	write_list(stream, MANIFEST_IP, &network->addresses6_text);
	write_list(stream, MANIFEST_MAC, &network->macs_text);
	write_list(stream, MANIFEST_PORT, &network->ports_text);
	if (fclose(stream) != 0)
		report_fail(STATUS_TOOL_FAILED, "no memory");
	line = manifest_check(text, bytes);
	if (line != 0)
		report_fail(STATUS_TOOL_FAILED, "line %zu of the manifest cannot be written", line);
	return (struct image_bytes){text, bytes};
}

/* ---- the file ------------------------------------------------------------------------------ */

static const char *choose_output(const struct build *build)
{
	const char *name = last_word(build->program.name);
	struct stat there;

	if (build->output != NULL)
		return build->output;
	if (!build->program.is_built && stat(name, &there) == 0)
		report_fail(STATUS_TOOL_FAILED,
			"./%s is there already; name the file to make with -o FILE", name);
	return name;
}

/* Beside the output, which it replaces when it is complete. */
static int open_output(const char *output, char **path)
{
	struct stat status;
	int fd;

	if (stat(output, &status) == 0 && S_ISDIR(status.st_mode))
		report_fail(STATUS_TOOL_FAILED, "-o %s: a directory", output);
	*path = alloc_text("%s.XXXXXX", output);
	fd = mkstemp(*path);
	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "-o %s: %s", output, strerror(errno));
	return fd;
}

static void finish_output(int fd, char *path, const char *output, int64_t bytes)
{
	mode_t mask = umask(0);

	umask(mask);
	if (bytes >= 0 &&
		(fchmod(fd, 0777 & ~mask) != 0 || close(fd) != 0 || rename(path, output) != 0))
		bytes = -errno;
	if (bytes >= 0)
		return;
	unlink(path);
	if (bytes == -E2BIG)
		report_fail(STATUS_TOOL_FAILED,
			"arguments and environment are too long: a manifest holds 1 MiB");
	if (bytes == -EINVAL)
		report_fail(STATUS_TOOL_FAILED,
			"the installed monitor or kernel is not of this release; run make, or set "
			"BURROW_LIBEXEC");
	report_fail(STATUS_TOOL_FAILED, "-o %s: %s", output, strerror((int)-bytes));
}

static void warn(const struct build *build)
{
	const struct check *check = &build->check;

	for (size_t i = 0; i < check->count; i++) {
		const struct check_finding *finding = &check->findings[i];

		if (finding->kind == CHECK_FAILS)
			report_note("%s: %s (%.*s); see burrow check", finding->subject,
				finding->text, (int)finding->function.bytes, finding->function.at);
	}
}

/* The one with the least code that has what the manifest names. */
static const char *choose_monitor(const struct build *build)
{
	const struct network *network = &build->options.network;

	return network->interface_count != 0 ? "image-monitor-net" : "image-monitor";
}

int build_main(int argc, char **argv)
{
	struct build *build = alloc_zeroed(sizeof(*build));
	struct image_sources sources = {0};
	const char *monitor;
	const char *output;
	char *path;
	int fd;

	parse(build, argc, argv);
	build->program.trims_paths = true;
	program_open(&build->program, build->options.program);
	check_program(&build->program, &build->check);
	output = choose_output(build);
	sources.program = (struct image_bytes){build->program.image, build->program.bytes};
	sources.sites = find_sites(&build->program);
	sources.files = open_archive(&build->options);
	sources.tree = make_tree(&build->options, &build->check);
	monitor = choose_monitor(build);
	sources.monitor = map_installed(monitor);
	sources.kernel = map_installed("image-kernel.elf");
	sources.manifest = make_manifest(build, monitor);
	warn(build);
	fd = open_output(output, &path);
	finish_output(fd, path, output, image_write(&sources, fd));
	return 0;
}
