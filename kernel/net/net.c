/*
 * The network's lock and its boot.
 *
 * Whoever gives the lock back first does what piled up under it: datagrams to ourselves are
 * handed over (the loopback device only queues them, so that a transport that sends is never
 * entered again below itself), and devices are told of what was queued for them.
 */
#include "kernel/net/net.h"
#include "kernel/arch.h"
#include "kernel/net/device.h"
#include "kernel/net/ip.h"
#include "kernel/net/loopback.h"
#include "kernel/net/port.h"
#include "kernel/net/tcp.h"

#define LOOPBACK_BUDGET 256u

/*
 * Rank 28. Not a ticket lock: it is held for microseconds and taken all the time, and on a
 * busy host a vcpu may lose its CPU for milliseconds. Whoever runs takes it; with tickets, all
 * would wait for a vcpu that does not run and has the next one.
 */
static bool is_locked ALIGNED(64);

bool net_has_devices;

int net_init(void)
{
	int error;

	port_tables_init();
	error = tcp_init();
	if (error == 0)
		error = ip_init();
	return error ? error : loopback_init();
}

bool net_trylock(void)
{
	return !READ_ONCE(is_locked) && !__atomic_exchange_n(&is_locked, true, __ATOMIC_ACQUIRE);
}

void net_lock(void)
{
	while (!net_trylock())
		arch_relax();
}

void net_unlock(void)
{
	uint64_t to_notify;

	if (UNLIKELY(loopback_is_pending()))
		loopback_deliver(LOOPBACK_BUDGET);
	to_notify = net_device_flush_all();
	__atomic_store_n(&is_locked, false, __ATOMIC_RELEASE);
	if (to_notify != 0)
		net_device_notify(to_notify);
}
