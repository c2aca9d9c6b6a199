/* What happens while a test's only thread sleeps: transfers, time, and the kernel's threads. */
#include <stdlib.h>

#include "arch/host/fake_threads.h"
#include "arch/host/toy_storage.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"

static void sleep_hook(uint64_t deadline_ns)
{
	if (toy_storage_complete() > 0)
		return;
	if (deadline_ns == UINT64_MAX)
		abort(); /* the test would hang */
	write_back_old(UINT64_MAX);
	reclaim_pages(64);
	toy_storage_complete();
	fake_now_ns = deadline_ns;
}

void toy_storage_attend_sleep(void)
{
	fake_sleep_hook = sleep_hook;
}
