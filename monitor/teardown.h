/*
 * Ending without making anybody wait.
 *
 * The host kernel needs 10 ms and more to take a VM apart (it waits for RCU grace
 * periods and a kernel thread). A process is not reaped before that, unless somebody
 * else still holds the VM: a small process, cloned at the end, that shares memory and
 * descriptors with this one, waits until it is gone, and ends.
 */
#ifndef MONITOR_TEARDOWN_H
#define MONITOR_TEARDOWN_H

/* Once, at the start. */
void teardown_init(void);

/* Last thing before the monitor ends: closes the standard streams (readers of pipes
 * see their end at once) and leaves the VM to the small process. If that cannot be
 * started, the end is merely slower. */
void teardown_leave_behind(void);

#endif
