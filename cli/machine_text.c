/* Times, sizes and states in words: see cli/machine_text.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/machine_text.h"
#include "host/alloc.h"
#include "host/report.h"

char *text_of_bytes(uint64_t bytes)
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1024 && units[unit + 1] != 0; unit++)
		value /= 1024;
	return value < 10 && unit > 0 && value != (double)(unsigned)value
		       ? alloc_text("%.1f%c", value, units[unit])
		       : alloc_text("%.0f%c", value, units[unit]);
}

char *text_of_age(uint64_t since_ns)
{
	struct timespec now;
	int64_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = (int64_t)now.tv_sec - (int64_t)(since_ns / 1000000000);
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		return alloc_text("%jds", (intmax_t)seconds);
	if (seconds < 120 * 60)
		return alloc_text("%jdm", (intmax_t)seconds / 60);
	if (seconds < 48 * 3600)
		return alloc_text("%jdh", (intmax_t)seconds / 3600);
	return alloc_text("%jdd", (intmax_t)seconds / 86400);
}

const char *text_of_state(const struct machine_handle *machine)
{
	static const char *const names[] = {"starting", "running", "waiting", "ended"};
	uint32_t state = machine->record->state;

	if (!machine->is_running)
		return names[MACHINE_ENDED];
	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

void machine_open_or_fail(const char *name, struct machine_handle *machine)
{
	int error = machines_open(name, machine);

	if (error == -ENOENT)
		report_fail(STATUS_TOOL_FAILED, "%s: no VM of this name; `burrow ps -a` lists them",
			name);
	if (error == -EPERM)
		report_fail(STATUS_TOOL_FAILED,
			"the directory of VMs belongs to somebody else, or others may write to it");
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", name, strerror(-error));
}
