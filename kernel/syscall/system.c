/*
 * System calls about the machine and its use: uname(2), sysinfo(2), getrusage(2),
 * getrandom(2). Limits are in rlimit.c.
 */
#include "kernel/credentials.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/system_name.h"
#include "lib/string.h"

/* ---- names ------------------------------------------------------------------- */

/* struct new_utsname: the names in the order of enum system_name. */
struct linux_utsname {
	char names[SYSTEM_NAME_COUNT][SYSTEM_NAME_BYTES];
};

_Static_assert(sizeof(struct linux_utsname) == 390, "Linux layout");

long sys_uname(uint64_t address)
{
	struct linux_utsname copy;

	for (int which = 0; which < SYSTEM_NAME_COUNT; which++)
		system_get_name(which, copy.names[which]);
	return user_copy_out(address, &copy, sizeof(copy)) != 0 ? -LINUX_EFAULT : 0;
}

static long set_name(int (*set)(const char *text, size_t bytes), uint64_t address, uint64_t length)
{
	char copy[SYSTEM_NAME_BYTES] = {0};

	if (credentials_get().euid != 0)
		return -LINUX_EPERM;
	if ((int)length < 0 || (int)length > SYSTEM_NAME_BYTES - 1)
		return -LINUX_EINVAL;
	if (user_copy_in(copy, address, (uint32_t)length) != 0)
		return -LINUX_EFAULT;
	return set(copy, (uint32_t)length);
}

long sys_sethostname(uint64_t address, uint64_t length)
{
	return set_name(system_set_node_name, address, length);
}

long sys_setdomainname(uint64_t address, uint64_t length)
{
	return set_name(system_set_domain_name, address, length);
}

/* A word that a process keeps for itself; nothing in it changes what runs already. */
long sys_personality(uint64_t persona)
{
	static uint32_t current;

	if ((uint32_t)persona == UINT32_MAX)
		return READ_ONCE(current);
	return __atomic_exchange_n(&current, (uint32_t)persona, __ATOMIC_RELAXED);
}

/* ---- use --------------------------------------------------------------------- */

struct linux_sysinfo {
	int64_t uptime_s;
	uint64_t loads[3]; /* 1 is 65536 */
	uint64_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
	uint16_t processes, padding;
	uint64_t total_high, free_high;
	uint32_t unit_bytes, padding2;
};

_Static_assert(sizeof(struct linux_sysinfo) == 112, "Linux layout");

long sys_sysinfo(uint64_t address)
{
	struct page_counts pages;
	struct sched_counts sched;

	page_alloc_counts(&pages);
	sched_counts(&sched);
	/* A mean over minutes would need a timer in an idle machine: the present number. */
	uint64_t load = (uint64_t)(sched.running + sched.runnable) << 16;
	struct linux_sysinfo info = {
		.uptime_s = (int64_t)(clock_monotonic_ns() / 1000000000),
		.loads = {load, load, load},
		.total_ram = pages.total_pages * PAGE_BYTES,
		.free_ram = pages.free_pages * PAGE_BYTES,
		.processes = (uint16_t)MIN(thread_count(), UINT16_MAX),
		.unit_bytes = 1,
	};

	return user_copy_out(address, &info, sizeof(info)) != 0 ? -LINUX_EFAULT : 0;
}

struct linux_timeval {
	int64_t seconds;
	int64_t microseconds;
};

struct linux_rusage {
	struct linux_timeval user_time, system_time;
	int64_t max_resident_kib, shared, data, stack, minor_faults, major_faults, swaps, blocks_in,
		blocks_out, messages_sent, messages_received, signals;
	int64_t voluntary_switches, involuntary_switches;
};

_Static_assert(sizeof(struct linux_rusage) == 144, "Linux layout");

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

static bool add_switches(struct thread *thread, void *argument)
{
	struct linux_rusage *usage = argument;

	usage->voluntary_switches += (int64_t)thread->voluntary_switches;
	usage->involuntary_switches += (int64_t)thread->involuntary_switches;
	return true;
}

/* Time in the kernel is not told apart: it counts as the program's. */
static void set_time(struct linux_rusage *usage, uint64_t ns)
{
	usage->user_time.seconds = (int64_t)(ns / 1000000000);
	usage->user_time.microseconds = (int64_t)(ns / 1000 % 1000000);
}

long sys_getrusage(uint64_t who, uint64_t address)
{
	struct linux_rusage usage = {0};
	struct vm_counts memory;

	vm_counts(&memory);
	switch ((int)who) {
	case RUSAGE_SELF:
		set_time(&usage, process_cpu_ns());
		thread_for_each(add_switches, &usage);
		break;
	case RUSAGE_THREAD:
		set_time(&usage, thread_cpu_ns(thread_current()));
		add_switches(thread_current(), &usage);
		break;
	case RUSAGE_CHILDREN:
		break;
	default:
		return -LINUX_EINVAL;
	}
	if ((int)who != RUSAGE_CHILDREN) {
		usage.max_resident_kib = (int64_t)(memory.peak_resident_bytes >> 10);
		usage.minor_faults = (int64_t)memory.minor_faults;
	}
	return user_copy_out(address, &usage, sizeof(usage)) != 0 ? -LINUX_EFAULT : 0;
}

/* ---- randomness ---------------------------------------------------------------- */

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

#define MAX_BYTES 0x7ffff000ull

long sys_getrandom(uint64_t address, uint64_t bytes, uint64_t flags_argument)
{
	uint32_t flags = (uint32_t)flags_argument;
	uint8_t chunk[512];
	uint64_t done = 0;

	if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
		(flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -LINUX_EINVAL;
	bytes = MIN(bytes, MAX_BYTES);
	while (done < bytes) {
		/* Not across pages: what lies before a bad one is filled. */
		uint64_t to_page_end = PAGE_BYTES - (address + done) % PAGE_BYTES;
		size_t part = MIN(MIN(bytes - done, to_page_end), (uint64_t)sizeof(chunk));

		random_bytes(chunk, part);
		if (user_copy_out(address + done, chunk, part) != 0)
			break;
		done += part;
		/* As Linux: long requests give way, between pages. */
		if ((address + done) % PAGE_BYTES == 0) {
			if (thread_is_interrupted(thread_current()))
				break;
			sched_preempt_if_needed();
		}
	}
	memset(chunk, 0, sizeof(chunk));
	__asm__ volatile("" : : "r"(chunk) : "memory");
	return done == 0 && bytes != 0 ? -LINUX_EFAULT : (long)done;
}
