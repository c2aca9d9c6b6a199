/*
 * The network's lock and its boot.
 *
 * Whoever gives the lock back first does what piled up under it: datagrams to ourselves are
 * handed over (the loopback device only queues them, so that a transport that sends is never
 * entered again below itself), and devices are told of what was queued for them.
 */
#include "kernel/net/net.h"
#include "kernel/lock.h"
#include "kernel/net/device.h"
#include "kernel/net/ip.h"
#include "kernel/net/loopback.h"
#include "kernel/net/port.h"
#include "kernel/net/tcp.h"

#define LOOPBACK_BUDGET 256u

/* Rank 28. */
static struct spinlock lock = SPINLOCK_INIT;

bool net_has_devices;

int net_init(void)
{
	int error;

	port_tables_init();
	error = tcp_init();
	if (error)
		return error;
	error = ip_init();
	if (error == 0)
		error = tcp_init();
	return error ? error : loopback_init();
}

void net_lock(void)
{
	spin_lock(&lock);
}

bool net_trylock(void)
{
	return spin_trylock(&lock);
}

void net_unlock(void)
{
	if (UNLIKELY(loopback_is_pending()))
		loopback_deliver(LOOPBACK_BUDGET);
	net_device_flush_all();
	spin_unlock(&lock);
}
