/*
 * The start-up timeline; see timeline.h.
 */
#include "lib/format.h"
#include "monitor/message.h"
#include "monitor/timeline.h"

static uint64_t marks[MARK_COUNT];

static const char *const names[MARK_COUNT] = {
	[MARK_START] = "monitor starts",
	[MARK_OPTIONS] = "arguments read",
	[MARK_FILES] = "files opened",
	[MARK_MEMORY] = "memory reserved",
	[MARK_VM] = "VM created",
	[MARK_SLOTS] = "memory slots set",
	[MARK_IMAGE] = "kernel and program mapped",
	[MARK_VCPU] = "vcpu 0 ready",
	[MARK_ENTER] = "guest entered",
	[MARK_OUTPUT] = "first output written",
};

/* Written once each, by different threads. */
void timeline_mark(enum timeline_mark mark)
{
	if (!marks[mark])
		marks[mark] = timeline_ticks();
}

uint64_t timeline_at(enum timeline_mark mark)
{
	return marks[mark];
}

static void print_line(const char *name, uint64_t ticks, uint64_t tsc_hz)
{
	uint64_t us;

	if (!ticks || !tsc_hz)
		return;
	us = (ticks - marks[MARK_START]) * 1000 / (tsc_hz / 1000);
	message_print("%6lu us  %s", us, name);
}

void timeline_print(uint64_t tsc_hz, uint64_t program_ticks)
{
	for (unsigned i = 0; i < MARK_COUNT; i++) {
		print_line(names[i], marks[i], tsc_hz);
		if (i == MARK_ENTER)
			print_line("program entered", program_ticks, tsc_hz);
	}
}
