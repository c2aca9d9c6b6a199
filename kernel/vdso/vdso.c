/*
 * The vDSO: code of the kernel that the program calls in its own right, vdso(7).
 *
 * A tiny shared object, mapped read-only behind one page of data (struct vdso_data)
 * that the kernel keeps. Reading a clock takes a tick count and a multiplication.
 * What it cannot do itself it asks of the kernel by a direct call, as rewritten
 * system-call sites do. __vdso_getrandom always does so: a direct call costs some ten
 * nanoseconds, which leaves nothing to gain from a generator in the program.
 *
 * No relocations, no data of its own, no vector registers.
 */
#include "abi/linux/time.h"
#include "abi/vdso_data.h"
#include "lib/compiler.h"

#define NS_PER_SECOND 1000000000ull

#define SYSTEM_CALL_CLOCK_GETTIME 228
#define SYSTEM_CALL_GETCPU        309
#define SYSTEM_CALL_GETRANDOM     318
#define ERROR_INVALID             22

/* One page before the image: vdso.lds. */
extern const struct vdso_data vdso_data_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int clock, struct linux_timespec *time);
int __vdso_gettimeofday(struct linux_timeval *time, struct linux_timezone *zone);
int64_t __vdso_time(int64_t *time);
long __vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused);
long __vdso_getrandom(void *buffer, size_t bytes, uint32_t flags, void *state, size_t state_bytes);

/* Five bytes at the site, as at a rewritten one: a restarted call goes back by five. */
static long system_call(long number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	long result = number;

	__asm__ volatile(".byte 0x0f, 0x1f, 0x00\n\tcall *%%rbx"
			 : "+a"(result)
			 : "b"(vdso_data_page.system_call), "D"(a0), "S"(a1), "d"(a2)
			 : "rcx", "r11", "cc", "memory");
	return result;
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	/* Not before what the program read earlier. */
	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t read_clock(bool is_realtime)
{
	const volatile struct vdso_data *data = &vdso_data_page;
	uint32_t sequence;
	uint64_t ns;

	do {
		int64_t elapsed;

		while ((sequence = data->sequence) & 1)
			__builtin_ia32_pause();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		elapsed = (int64_t)(ticks() - data->base_tsc);
		if (elapsed < 0)
			elapsed = 0;
		ns = (uint64_t)((unsigned __int128)(uint64_t)elapsed * data->multiplier >>
				data->shift);
		ns += data->base_ns;
		if (is_realtime)
			ns += (uint64_t)data->realtime_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (data->sequence != sequence);
	return ns;
}

int __vdso_clock_gettime(int clock, struct linux_timespec *time)
{
	const uint32_t realtime = 1u << LINUX_CLOCK_REALTIME | 1u << LINUX_CLOCK_REALTIME_COARSE |
				  1u << LINUX_CLOCK_TAI;
	const uint32_t monotonic = 1u << LINUX_CLOCK_MONOTONIC | 1u << LINUX_CLOCK_MONOTONIC_RAW |
				   1u << LINUX_CLOCK_MONOTONIC_COARSE | 1u << LINUX_CLOCK_BOOTTIME;
	uint32_t bit = (uint32_t)clock < 32 ? 1u << clock : 0;
	uint64_t ns;

	if (!(bit & (realtime | monotonic)))
		return (int)system_call(
			SYSTEM_CALL_CLOCK_GETTIME, (uint64_t)clock, (uintptr_t)time, 0);
	ns = read_clock((bit & realtime) != 0);
	time->seconds = (int64_t)(ns / NS_PER_SECOND);
	time->nanoseconds = (int64_t)(ns % NS_PER_SECOND);
	return 0;
}

int __vdso_gettimeofday(struct linux_timeval *time, struct linux_timezone *zone)
{
	if (time) {
		uint64_t ns = read_clock(true);

		time->seconds = (int64_t)(ns / NS_PER_SECOND);
		time->microseconds = (int64_t)(ns % NS_PER_SECOND / 1000);
	}
	if (zone) {
		zone->minutes_west = 0;
		zone->dst = 0;
	}
	return 0;
}

int64_t __vdso_time(int64_t *time)
{
	int64_t seconds = (int64_t)(read_clock(true) / NS_PER_SECOND);

	if (time)
		*time = seconds;
	return seconds;
}

long __vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused)
{
	(void)unused;
	return system_call(SYSTEM_CALL_GETCPU, (uintptr_t)cpu, (uintptr_t)node, 0);
}

/* include/uapi/linux/random.h: struct vgetrandom_opaque_params */
struct getrandom_parameters {
	uint32_t state_bytes;
	uint32_t mmap_protection;
	uint32_t mmap_flags;
	uint32_t reserved[13];
};

#define STATE_BYTES     64   /* not used, but callers divide pages by it */
#define MMAP_PROTECTION 3    /* PROT_READ | PROT_WRITE */
#define MMAP_FLAGS      0x22 /* MAP_PRIVATE | MAP_ANONYMOUS */

long __vdso_getrandom(void *buffer, size_t bytes, uint32_t flags, void *state, size_t state_bytes)
{
	if (state_bytes == SIZE_MAX && !buffer && !bytes && !flags) {
		struct getrandom_parameters *parameters = state;

		parameters->state_bytes = STATE_BYTES;
		parameters->mmap_protection = MMAP_PROTECTION;
		parameters->mmap_flags = MMAP_FLAGS;
		for (size_t i = 0; i < ARRAY_SIZE(parameters->reserved); i++)
			*(volatile uint32_t *)&parameters->reserved[i] = 0; /* no memset here */
		return 0;
	}
	if (state_bytes != STATE_BYTES)
		return -ERROR_INVALID;
	return system_call(SYSTEM_CALL_GETRANDOM, (uintptr_t)buffer, bytes, flags);
}
