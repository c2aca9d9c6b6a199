/*
 * Rules that tell from the functions linked into a Go program what it will want: see
 * cli/check.h. Go's linker drops what cannot be reached, so a function that is there may be
 * called, if only in some rare case: a finding is a warning, not a verdict.
 */
#include <string.h>
#include <strings.h>

#include "cli/check.h"
#include "lib/syscall_sites.h"

struct rule {
	const char *function; /* whole name */
	enum check_kind kind;
	const char *subject; /* only the first finding of a subject and kind is kept */
	const char *text;
};

#define NO_PROCESSES                                                                               \
	"starts other programs: there are none in the VM, such calls give ENOSYS and one line "    \
	"on stderr"

static const struct rule rules[] = {
	{"os/exec.(*Cmd).Start", CHECK_FAILS, "processes", NO_PROCESSES},
	{"os.StartProcess", CHECK_FAILS, "processes", NO_PROCESSES},
	{"syscall.forkExec", CHECK_FAILS, "processes", NO_PROCESSES},
	{"syscall.Exec", CHECK_FAILS, "exec",
		"replaces itself by another program: gives ENOSYS; restart the VM instead"},
	{"plugin.Open", CHECK_FAILS, "plugins",
		"loads plugins, which needs a dynamic linker: gives an error"},
	{"net.(*ListenConfig).Listen", CHECK_WANTS, "server",
		"listens for connections: forward a port with -p HOST:GUEST, or give it a tap"},
	{"net.(*ListenConfig).ListenPacket", CHECK_WANTS, "server",
		"receives datagrams: forward a port with -p HOST:GUEST/udp, or give it a tap"},
	{"net.(*Dialer).DialContext", CHECK_WANTS, "client",
		"may open connections: --net passt or a tap, if it does"},
	{"crypto/x509.loadSystemRoots", CHECK_WANTS, "certificates",
		"checks certificates by the system's: /etc/ssl/certs/ca-certificates.crt"},
	{"time.LoadLocation", CHECK_WANTS, "time zones",
		"looks up time zones by name: /usr/share/zoneinfo, or import time/tzdata"},
	{"os/user.lookupUser", CHECK_WANTS, "users", "looks up users by name: /etc/passwd"},
	{"os/user.lookupUserId", CHECK_WANTS, "users", "looks up users by number: /etc/passwd"},
	{"mime.loadMimeFile", CHECK_WANTS, "media types",
		"looks up media types of file names: /etc/mime.types has more than Go knows"},
};

/* ---- system calls that the kernel refuses ---------------------------------- */

static const char *const refused[] = {
#define SYSCALL(number, name, arguments, format) #name,
#include "kernel/syscall/refused.def"
#undef SYSCALL
};

/* Go writes PerfEventOpen where Linux has perf_event_open. */
static bool is_same_call(struct go_text go_name, const char *name)
{
	size_t i = 0;

	for (; *name != 0; name++) {
		if (*name == '_')
			continue;
		if (i == go_name.bytes || strncasecmp(&go_name.at[i], name, 1) != 0)
			return false;
		i++;
	}
	return i == go_name.bytes;
}

/* Calls whose wrappers have other names. */
static bool is_other_name(struct go_text go_name, const char *name)
{
	static const struct {
		const char *go, *linux_name;
	} others[] = {{"Unmount", "umount2"}, {"Klogctl", "syslog"}, {"PivotRoot", "pivot_root"}};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (go_text_is(go_name, others[i].go))
			return strcmp(others[i].linux_name, name) == 0;
	}
	return false;
}

/* The part after `syscall.` or `…golang.org/x/sys/unix.`; empty for other functions. Wrappers
 * start with a capital letter. */
static struct go_text wrapper_name(struct go_text function)
{
	static const char *const packages[] = {"syscall.", "golang.org/x/sys/unix."};

	if (go_text_starts_with(function, "vendor/"))
		function = (struct go_text){function.at + 7, function.bytes - 7};
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++) {
		size_t length = strlen(packages[i]);

		if (go_text_starts_with(function, packages[i]) && function.bytes > length &&
			function.at[length] >= 'A' && function.at[length] <= 'Z')
			return (struct go_text){function.at + length, function.bytes - length};
	}
	return (struct go_text){0};
}

static const char *refused_call(struct go_text function)
{
	struct go_text name = wrapper_name(function);

	for (size_t i = 0; i < ARRAY_SIZE(refused) && name.bytes != 0; i++) {
		if (is_same_call(name, refused[i]) || is_other_name(name, refused[i]))
			return refused[i];
	}
	return NULL;
}

/* ---- findings --------------------------------------------------------------- */

static void add(struct check *check, const struct rule *rule, struct go_text function)
{
	for (size_t i = 0; i < check->count; i++) {
		if (check->findings[i].kind == rule->kind &&
			strcmp(check->findings[i].subject, rule->subject) == 0)
			return;
	}
	if (check->count == CHECK_FINDINGS_MAX)
		return;
	check->findings[check->count++] =
		(struct check_finding){rule->kind, rule->subject, rule->text, function};
	check->fails += rule->kind == CHECK_FAILS;
}

static void check_function(struct check *check, struct go_text function)
{
	const char *call = refused_call(function);

	if (call != NULL) {
		struct rule rule = {.kind = CHECK_FAILS,
			.subject = call,
			.text = "a system call that the kernel refuses"};

		add(check, &rule, function);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (go_text_is(function, rules[i].function))
			add(check, &rules[i], function);
	}
}

void check_program(const struct program *program, struct check *check)
{
	static struct syscall_site sites[SYSCALL_SITES_MAX];
	size_t position = 0;
	struct go_text function;

	memset(check, 0, sizeof(*check));
	check->is_go = go_binary_read(program->image, program->bytes, &program->elf, &check->go);
	check->sites = syscall_sites_find(
		program->image, program->bytes, &program->elf, sites, SYSCALL_SITES_MAX);
	while (go_text_next(check->go.functions, 0, &position, &function))
		check_function(check, function);
}
