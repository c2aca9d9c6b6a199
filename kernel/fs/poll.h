/*
 * Readiness of files, for poll(2), select(2) and epoll(7). The bits are Linux's.
 */
#ifndef KERNEL_FS_POLL_H
#define KERNEL_FS_POLL_H

enum poll_events {
	POLL_IN = 0x001, POLL_PRI = 0x002, POLL_OUT = 0x004, POLL_ERR = 0x008, POLL_HUP = 0x010,
	POLL_NVAL = 0x020, POLL_RDNORM = 0x040, POLL_RDBAND = 0x080, POLL_WRNORM = 0x100,
	POLL_WRBAND = 0x200, POLL_RDHUP = 0x2000,
};

#endif
