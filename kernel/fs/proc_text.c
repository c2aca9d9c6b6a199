/*
 * What /proc tells about threads: comm, stat, status. See proc_text.h.
 */
#include "kernel/fs/proc_text.h"
#include "kernel/fs/tree.h"
#include "kernel/fs/text_node.h"
#include "kernel/credentials.h"
#include "kernel/mm/vm.h"
#include "kernel/platform.h"
#include "kernel/sched/thread.h"
#include "lib/format.h"
#include "lib/string.h"

#define TICK_NS 10000000ull /* USER_HZ */

typedef unsigned long long ull;

/* What of a thread is told. */
struct snapshot {
	int tid;
	char state;
	char name[16];
	uint64_t cpu_ns;
	uint64_t voluntary, involuntary;
	uint64_t pending, blocked;
};

static int take(void *argument, struct snapshot *snapshot)
{
	int tid = argument ? (int)(uintptr_t)argument : PROCESS_ID;
	struct thread *found = thread_find(tid), *thread = found;

	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->tid = tid;
	snapshot->state = 'R';
	if (!thread) {
		/* The first thread may end before the program. */
		if (tid != PROCESS_ID)
			return -LINUX_ESRCH;
		thread = thread_current();
	}
	memcpy(snapshot->name, thread->name, sizeof(snapshot->name) - 1);
	if (thread->state != THREAD_RUNNABLE)
		snapshot->state = 'S';
	snapshot->cpu_ns = argument ? thread_cpu_ns(thread) : process_cpu_ns();
	snapshot->voluntary = thread->voluntary_switches;
	snapshot->involuntary = thread->involuntary_switches;
	snapshot->pending = thread->signal.queue.pending;
	snapshot->blocked = thread->signal.blocked;
	if (found)
		thread_release(found);
	return 0;
}

long proc_write_nothing(char *buffer, size_t capacity, void *argument)
{
	(void)buffer;
	(void)capacity;
	(void)argument;
	return 0;
}

long proc_write_comm(char *buffer, size_t capacity, void *argument)
{
	struct snapshot thread;
	int error = take(argument, &thread);

	return error ? error : (long)format_text(buffer, capacity, "%s\n", thread.name);
}

long proc_write_stat(char *buffer, size_t capacity, void *argument)
{
	struct snapshot thread;
	struct vm_counts memory;
	int error = take(argument, &thread);

	if (error)
		return error;
	vm_counts(&memory);
	return (long)format_text(buffer, capacity,
		"%d (%s) %c 0 1 1 0 -1 4194304 %llu 0 0 0 %llu 0 0 0 20 0 %u 0 0 %llu %llu "
		"18446744073709551615 0 0 0 0 0 %llu %llu 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 "
		"0\n",
		thread.tid, thread.name, thread.state, (ull)memory.minor_faults,
		(ull)(thread.cpu_ns / TICK_NS), thread_count(), (ull)memory.mapped_bytes,
		(ull)(memory.resident_bytes / PAGE_BYTES), (ull)thread.pending,
		(ull)thread.blocked);
}

static void write_memory(struct text_buffer *text)
{
	struct vm_counts memory;

	vm_counts(&memory);
	text_append(text,
		"VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n"
		"VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t       0 kB\n"
		"RssShmem:\t       0 kB\nVmSwap:\t       0 kB\n",
		(ull)memory.mapped_bytes / 1024, (ull)memory.mapped_bytes / 1024,
		(ull)memory.peak_resident_bytes / 1024, (ull)memory.resident_bytes / 1024,
		(ull)memory.resident_bytes / 1024);
}

/* Only reads: nothing is changed. */
static int write_groups(struct credentials *credentials, void *argument)
{
	for (uint32_t i = 0; i < credentials->group_count; i++)
		text_append(argument, "%u ", credentials->groups[i]);
	return -LINUX_EAGAIN;
}

long proc_write_status(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct credentials who = credentials_get();
	struct snapshot thread;
	uint32_t cpus = platform_cpu_count();
	char others[12] = "";
	int error = take(argument, &thread);

	if (error)
		return error;
	text_append(&text,
		"Name:\t%s\nUmask:\t%04o\nState:\t%c "
		"(%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t0\n"
		"TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t",
		thread.name, tree.umask, thread.state, thread.state == 'R' ? "running" : "sleeping",
		PROCESS_ID, thread.tid, who.uid, who.euid, who.suid, who.fsuid, who.gid, who.egid,
		who.sgid, who.fsgid, MAX(64u, fd_count()));
	credentials_change(write_groups, &text);
	text_append(&text, "\nNStgid:\t1\nNSpid:\t%d\nNSpgid:\t1\nNSsid:\t1\n", thread.tid);
	write_memory(&text);
	if (cpus > 1)
		format_text(others, sizeof(others), "-%u", cpus - 1);
	text_append(&text,
		"Threads:\t%u\nSigQ:\t0/"
		"32768\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n"
		"CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nSeccomp:\t0\n"
		"Cpus_allowed:\t%llx\nCpus_allowed_list:\t0%s\n"
		"voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		thread_count(), (ull)thread.pending, (ull)0, (ull)thread.blocked,
		(ull)who.inheritable, (ull)who.permitted, (ull)who.effective,
		cpus >= 64 ? ~0ull : (1ull << cpus) - 1, others, (ull)thread.voluntary,
		(ull)thread.involuntary);
	return (long)text.length;
}
