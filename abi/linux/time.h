/*
 * Time on Linux x86-64: clock_gettime(2), setitimer(2), timer_create(2), times(2),
 * adjtimex(2). struct linux_timespec is in abi/linux/stat.h.
 */
#ifndef ABI_LINUX_TIME_H
#define ABI_LINUX_TIME_H

#include <stdint.h>
#include "abi/linux/stat.h"

enum linux_clock {
	LINUX_CLOCK_REALTIME = 0,
	LINUX_CLOCK_MONOTONIC = 1,
	LINUX_CLOCK_PROCESS_CPUTIME_ID = 2,
	LINUX_CLOCK_THREAD_CPUTIME_ID = 3,
	LINUX_CLOCK_MONOTONIC_RAW = 4,
	LINUX_CLOCK_REALTIME_COARSE = 5,
	LINUX_CLOCK_MONOTONIC_COARSE = 6,
	LINUX_CLOCK_BOOTTIME = 7,
	LINUX_CLOCK_REALTIME_ALARM = 8,
	LINUX_CLOCK_BOOTTIME_ALARM = 9,
	LINUX_CLOCK_TAI = 11,
};

#define LINUX_TIMER_ABSTIME 1

struct linux_timeval {
	int64_t seconds;
	int64_t microseconds;
};

struct linux_timezone {
	int32_t minutes_west;
	int32_t dst;
};

struct linux_itimerspec {
	struct linux_timespec interval;
	struct linux_timespec value;
};

struct linux_itimerval {
	struct linux_timeval interval;
	struct linux_timeval value;
};

enum linux_itimer { LINUX_ITIMER_REAL = 0, LINUX_ITIMER_VIRTUAL = 1, LINUX_ITIMER_PROF = 2 };

enum linux_sigev_notify {
	LINUX_SIGEV_SIGNAL = 0,
	LINUX_SIGEV_NONE = 1,
	LINUX_SIGEV_THREAD = 2,
	LINUX_SIGEV_THREAD_ID = 4,
};

struct linux_sigevent {
	uint64_t value;
	int32_t signo;
	int32_t notify;
	int32_t tid;
	int32_t reserved[11];
};

struct linux_tms {
	int64_t user, system, child_user, child_system;
};

enum linux_adjtimex_modes {
	LINUX_ADJ_OFFSET = 1,
	LINUX_ADJ_FREQUENCY = 2,
	LINUX_ADJ_MAXERROR = 4,
	LINUX_ADJ_ESTERROR = 8,
	LINUX_ADJ_STATUS = 0x10,
	LINUX_ADJ_TIMECONST = 0x20,
	LINUX_ADJ_TAI = 0x80,
	LINUX_ADJ_SETOFFSET = 0x100,
	LINUX_ADJ_MICRO = 0x1000,
	LINUX_ADJ_NANO = 0x2000,
	LINUX_ADJ_TICK = 0x4000,
};

#define LINUX_STA_UNSYNC 0x40
#define LINUX_STA_NANO   0x2000
#define LINUX_TIME_OK    0
#define LINUX_TIME_ERROR 5

struct linux_timex {
	uint32_t modes, pad0;
	int64_t offset, frequency, max_error, estimated_error;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct linux_timeval time;
	int64_t tick, pps_frequency, jitter;
	int32_t shift, pad2;
	int64_t stability, jitter_count, calibration_count, error_count, stability_count;
	int32_t tai, pad3[11];
};

_Static_assert(sizeof(struct linux_sigevent) == 64, "Linux layout");
_Static_assert(sizeof(struct linux_timex) == 208, "Linux layout");

#endif
