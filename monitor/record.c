/* The record that the launcher gave: see monitor/record.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "monitor/message.h"
#include "monitor/record.h"

static struct machine_counters unread;
struct machine_counters *record_counters = &unread;

void record_open(int fd)
{
	struct machine_record *record =
		mmap(NULL, MACHINE_RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (record == MAP_FAILED)
		message_fail(STATUS_MONITOR_FAILED, "--record %d: %s", fd, strerror(errno));
	if (record->magic != MACHINE_RECORD_MAGIC || record->version != MACHINE_RECORD_VERSION)
		message_fail(STATUS_MONITOR_FAILED, "--record %d: not a record of a VM", fd);
	record_counters = &record->counters;
}
