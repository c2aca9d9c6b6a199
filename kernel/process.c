/*
 * The end of the program, which is the end of its machine. The contract is in
 * kernel/sched/thread.h.
 */
#include "kernel/console.h"
#include "kernel/fs/storage.h"
#include "kernel/log.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/syscall.h"

static void show_summary(int status, int signal)
{
	struct sched_counts sched;
	struct page_counts pages;
	struct vm_counts memory;
	uint64_t now_us = clock_monotonic_ns() / 1000, cpu_us = process_cpu_ns() / 1000;

	sched_counts(&sched);
	page_alloc_counts(&pages);
	vm_counts(&memory);
	syscall_report_unimplemented();
	if (signal)
		log_notice("the program was ended by signal %d", signal);
	else
		log_notice("the program ended with status %d", status);
	log_notice(
		"ran %llu.%03llu ms, %llu.%03llu ms of CPU time on %u vcpus, %u threads at the end",
		(unsigned long long)(now_us / 1000), (unsigned long long)(now_us % 1000),
		(unsigned long long)(cpu_us / 1000), (unsigned long long)(cpu_us % 1000),
		sched_cpu_count(), thread_count());
	log_notice("%llu switches, %llu steals, %llu kicks, %llu halts",
		(unsigned long long)sched.switches, (unsigned long long)sched.steals,
		(unsigned long long)sched.kicks, (unsigned long long)sched.halts);
	log_notice("memory: %llu KiB of %llu KiB used at most, %llu page faults",
		(unsigned long long)(pages.peak_used_pages * (PAGE_BYTES / 1024)),
		(unsigned long long)(pages.total_pages * (PAGE_BYTES / 1024)),
		(unsigned long long)memory.minor_faults);
}

void process_exit(int status, int signal)
{
	static bool is_ending;

	/* The first one ends the machine; others may come here until it has. */
	if (__atomic_exchange_n(&is_ending, true, __ATOMIC_ACQ_REL)) {
		for (;;)
			thread_sleep(UINT64_MAX);
	}
	sched_stop_others();
	vfs_unmount_all();
	if (log_is_verbose())
		show_summary(status & 0xff, signal);
	console_drain();
	console_send_exit(status & 0xff, signal);
	platform_exit(signal ? 128 + signal : status & 0xff);
}
