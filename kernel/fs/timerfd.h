/* Timers as files: timerfd_create(2). */
#ifndef KERNEL_FS_TIMERFD_H
#define KERNEL_FS_TIMERFD_H

#include "lib/compiler.h"

struct file;

/* Both in nanoseconds; a value of 0 means disarmed, an interval of 0 one-shot. */
struct timerfd_setting {
	uint64_t interval_ns;
	uint64_t value_ns; /* set: first expiry; get: time left */
};

/* `clock`: CLOCK_REALTIME, MONOTONIC, BOOTTIME or their ALARM forms. -EINVAL, -ENOMEM. */
int timerfd_create(int clock, uint32_t flags, struct file **file);
/* `flags`: TFD_TIMER_ABSTIME 1, TFD_TIMER_CANCEL_ON_SET 2. -EINVAL: not a timerfd.
 * `old` may be NULL. */
int timerfd_set(struct file *file, int flags, const struct timerfd_setting *setting,
	struct timerfd_setting *old);
int timerfd_get(struct file *file, struct timerfd_setting *setting);

#endif
