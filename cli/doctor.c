/*
 * `burrow doctor`: what this machine can do, what is missing, and what to do then.
 *
 * One function a subject; each adds findings to the list, which is then printed as
 * text or JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/child.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/install.h"
#include "host/json.h"
#include "host/kvm.h"
#include "host/report.h"

const char doctor_help[] =
	"usage: burrow doctor [--json[=FD]]\n"
	"\n"
	"Says what this machine can do for Burrow and what is missing, each with what to do.\n"
	"Status 0: programs can run, on KVM or emulated; 1: they cannot.\n"
	"\n"
	"  --json[=FD]   one JSON object on stdout, or on FD\n"
	"  --help, -h    this text\n";

enum verdict { GOOD, WARNING, MISSING };

struct finding {
	enum verdict verdict;
	const char *subject;
	char *text;
	const char *advice; /* NULL: nothing to do */
};

#define FINDINGS_MAX 32

struct diagnosis {
	struct finding findings[FINDINGS_MAX];
	size_t count;
	bool has_kvm, has_qemu, has_monitor, has_kernel;
};

static void add(struct diagnosis *diagnosis, enum verdict verdict, const char *subject, char *text,
	const char *advice)
{
	if (diagnosis->count < FINDINGS_MAX)
		diagnosis->findings[diagnosis->count++] =
			(struct finding){verdict, subject, text, advice};
}

static void check_cpu(struct diagnosis *diagnosis)
{
	static const char *const wanted[] = {
		"nx", "sse2", "fxsr", "xsave", "fsgsbase", "rdrand", "constant_tsc", "nonstop_tsc"};
	char *missing = alloc_text("%s", "");
	struct utsname name;

	uname(&name);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (!kvm_cpu_has(wanted[i]))
			missing = alloc_text("%s %s", missing, wanted[i]);
	}
	add(diagnosis, GOOD, "host",
		alloc_text("%s %s %s", name.sysname, name.release, name.machine), NULL);
	if (*missing == 0)
		add(diagnosis, GOOD, "processor", alloc_text("%s", kvm_cpu_model()), NULL);
	else
		add(diagnosis, WARNING, "processor",
			alloc_text("%s, without%s", kvm_cpu_model(), missing),
			"programs run, with slower paths");
}

static void check_kvm(struct diagnosis *diagnosis)
{
	static const struct {
		int number;
		const char *name;
	} capabilities[] = {{KVM_CAP_USER_MEMORY, "user memory"}, {KVM_CAP_IRQFD, "irqfd"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"}, {KVM_CAP_SPLIT_IRQCHIP, "split irqchip"}};
	int error = kvm_probe();
	int fd;

	if (error != 0) {
		add(diagnosis, MISSING, "KVM", alloc_text("not usable: %s", kvm_error_text(error)),
			"without it programs are emulated by QEMU, many times slower");
		return;
	}
	diagnosis->has_kvm = true;
	add(diagnosis, GOOD, "KVM",
		alloc_text("usable, %s%s", kvm_kind_text(kvm_kind()),
			kvm_cpu_has("hypervisor") ? ", nested: this machine is itself a VM" : ""),
		NULL);
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (ioctl(fd, KVM_CHECK_EXTENSION, capabilities[i].number) <= 0)
			add(diagnosis, WARNING, "KVM capability",
				alloc_text("%s is missing", capabilities[i].name),
				"use a host kernel from 4.7 on");
	}
	close(fd);
}

/* The first line of what `words` prints; NULL if it cannot be run. */
static char *first_line(char **words)
{
	char *output;

	if (child_run(words, NULL, NULL, &output) != 0)
		return NULL;
	output[strcspn(output, "\n")] = 0;
	return output;
}

static void check_qemu(struct diagnosis *diagnosis)
{
	char flag[] = "--version";
	char *words[] = {child_find("qemu-system-x86_64"), flag, NULL};
	char *line = words[0] != NULL ? first_line(words) : NULL;

	diagnosis->has_qemu = line != NULL;
	if (line != NULL)
		add(diagnosis, GOOD, "QEMU", line, NULL);
	else
		add(diagnosis, diagnosis->has_kvm ? WARNING : MISSING, "QEMU",
			alloc_text("no qemu-system-x86_64 in PATH"),
			"needed only without KVM; Debian: sudo apt install qemu-system-x86");
}

static void check_go(struct diagnosis *diagnosis)
{
	char version[] = "version";
	char *words[] = {child_find("go"), version, NULL};
	char *line = words[0] != NULL ? first_line(words) : NULL;

	if (line != NULL)
		add(diagnosis, GOOD, "Go", line, NULL);
	else
		add(diagnosis, WARNING, "Go", alloc_text("no usable `go` in PATH"),
			"needed to run Go packages; executables run without: https://go.dev/dl");
}

static bool check_installed(struct diagnosis *diagnosis, const char *name, const char *subject)
{
	char *path = install_find(name);

	if (path != NULL)
		add(diagnosis, GOOD, subject, path, NULL);
	else
		add(diagnosis, MISSING, subject,
			alloc_text("%s is not in %s", name, install_places()),
			"run make, or set BURROW_LIBEXEC to where it is");
	return path != NULL;
}

/* First line of a small file, or NULL. */
static char *read_line(const char *path)
{
	FILE *stream = fopen(path, "re");
	char *line = NULL;
	size_t capacity = 0;

	if (stream == NULL)
		return NULL;
	if (getline(&line, &capacity, stream) > 0)
		line[strcspn(line, "\n")] = 0;
	fclose(stream);
	return line;
}

static void check_huge_pages(struct diagnosis *diagnosis)
{
	char *line = read_line("/sys/kernel/mm/transparent_hugepage/enabled");

	if (line == NULL)
		add(diagnosis, WARNING, "huge pages", alloc_text("no transparent huge pages"),
			"memory-bound programs run slower; use a host kernel that has them");
	else if (strstr(line, "[never]") != NULL)
		add(diagnosis, WARNING, "huge pages", line,
			"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
	else
		add(diagnosis, GOOD, "huge pages", line, NULL);
}

static void check_memory(struct diagnosis *diagnosis)
{
	FILE *stream = fopen("/proc/meminfo", "re");
	char *line = NULL;
	size_t capacity = 0;
	long available_kib = -1;

	while (stream != NULL && available_kib < 0 && getline(&line, &capacity, stream) > 0) {
		if (strncmp(line, "MemAvailable:", 13) == 0)
			available_kib = strtol(line + 13, NULL, 10);
	}
	free(line);
	if (stream != NULL)
		fclose(stream);
	if (available_kib < 0)
		return;
	if (available_kib < 64 * 1024)
		add(diagnosis, WARNING, "memory",
			alloc_text("%ld MiB available", available_kib / 1024),
			"free some, or give VMs less with --mem");
	else
		add(diagnosis, GOOD, "memory",
			alloc_text("%ld MiB available", available_kib / 1024), NULL);
}

static void check_network(struct diagnosis *diagnosis)
{
	char *passt = child_find("passt");
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (passt != NULL)
		add(diagnosis, GOOD, "network, passt", passt, NULL);
	else
		add(diagnosis, WARNING, "network, passt", alloc_text("no passt in PATH"),
			"needed for -p and --net passt; Debian: sudo apt install passt");
	if (tun >= 0)
		add(diagnosis, GOOD, "network, taps", alloc_text("/dev/net/tun is usable"), NULL);
	else
		add(diagnosis, WARNING, "network, taps",
			alloc_text("/dev/net/tun: %s", strerror(errno)),
			"needed for --net tap:DEVICE; sudo modprobe tun && sudo chmod 666 "
			"/dev/net/tun");
	if (tun >= 0)
		close(tun);
}

static bool can_run(const struct diagnosis *diagnosis)
{
	return diagnosis->has_kernel &&
	       ((diagnosis->has_kvm && diagnosis->has_monitor) || diagnosis->has_qemu);
}

static void print_text(const struct diagnosis *diagnosis)
{
	static const char *const marks[] = {
		[GOOD] = "ok", [WARNING] = "note", [MISSING] = "missing"};

	for (size_t i = 0; i < diagnosis->count; i++) {
		const struct finding *finding = &diagnosis->findings[i];

		printf("%-8s %-14s %s\n", marks[finding->verdict], finding->subject, finding->text);
		if (finding->advice != NULL)
			printf("%24s%s\n", "", finding->advice);
	}
	if (!can_run(diagnosis))
		puts("\nPrograms cannot run here: see what is missing above.");
	else if (diagnosis->has_kvm && diagnosis->has_monitor)
		puts("\nPrograms run here, on KVM.");
	else
		puts("\nPrograms run here, emulated by QEMU and therefore slow.");
}

static void print_json(const struct diagnosis *diagnosis, int fd)
{
	static const char *const marks[] = {
		[GOOD] = "ok", [WARNING] = "note", [MISSING] = "missing"};
	struct json json;

	json_open(&json, fd);
	json_bool(&json, "can_run", can_run(diagnosis));
	json_bool(&json, "kvm", diagnosis->has_kvm);
	json_text(&json, "kvm_kind", diagnosis->has_kvm ? kvm_kind_text(kvm_kind()) : "none");
	json_bool(&json, "qemu", diagnosis->has_qemu);
	json_array_open(&json, "findings");
	for (size_t i = 0; i < diagnosis->count; i++) {
		const struct finding *finding = &diagnosis->findings[i];

		json_element_open(&json);
		json_text(&json, "verdict", marks[finding->verdict]);
		json_text(&json, "subject", finding->subject);
		json_text(&json, "text", finding->text);
		if (finding->advice != NULL)
			json_text(&json, "advice", finding->advice);
		json_element_close(&json);
	}
	json_array_close(&json);
	json_close(&json);
}

int doctor_main(int argc, char **argv)
{
	struct diagnosis *diagnosis = alloc_zeroed(sizeof(*diagnosis));
	const char *json_text_given = NULL;
	const struct flag flags[] = {{"--json", FLAG_OPTIONAL_TEXT, &json_text_given, "FD"},
		{NULL, FLAG_SWITCH, NULL, NULL}};

	if (flags_parse(flags, argc, argv, doctor_help) != argc)
		report_fail(STATUS_TOOL_FAILED, "this command takes no words, only flags");
	check_cpu(diagnosis);
	check_kvm(diagnosis);
	check_qemu(diagnosis);
	check_go(diagnosis);
	diagnosis->has_monitor = check_installed(diagnosis, "burrow-monitor", "monitor");
	diagnosis->has_kernel = check_installed(diagnosis, "kernel.elf", "kernel");
	check_huge_pages(diagnosis);
	check_memory(diagnosis);
	check_network(diagnosis);
	if (json_text_given != NULL)
		print_json(diagnosis, flags_json_descriptor(json_text_given, 1));
	else
		print_text(diagnosis);
	report_finish_output();
	return can_run(diagnosis) ? 0 : 1;
}
