/*
 * Readiness of files, for poll(2), select(2) and epoll(7). The bits are Linux's.
 */
#ifndef KERNEL_FS_POLL_H
#define KERNEL_FS_POLL_H

#include "lib/compiler.h"

enum poll_events {
	POLL_IN = 0x001,
	POLL_PRI = 0x002,
	POLL_OUT = 0x004,
	POLL_ERR = 0x008,
	POLL_HUP = 0x010,
	POLL_NVAL = 0x020,
	POLL_RDNORM = 0x040,
	POLL_RDBAND = 0x080,
	POLL_WRNORM = 0x100,
	POLL_WRBAND = 0x200,
	POLL_RDHUP = 0x2000,
};

/* struct pollfd of poll(2). */
struct poll_request {
	int32_t fd; /* negative: skipped */
	uint16_t events;
	uint16_t revents;
};

_Static_assert(sizeof(struct poll_request) == 8, "Linux layout");

/* Waits until a request has an answer or the deadline (clock_monotonic_ns; 0 only
 * looks). `always` are events that count though no request asks for them. Fills in every
 * revents. Returns how many are not 0, or -ENOMEM, -ERESTARTNOHAND. */
long poll_files(
	struct poll_request *requests, uint32_t count, uint32_t always, uint64_t deadline_ns);

#endif
