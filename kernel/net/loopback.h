/*
 * The loopback device "lo": what is sent to it is queued, and handed to the IP layer when the
 * network lock is given back. Network lock held.
 */
#ifndef KERNEL_NET_LOOPBACK_H
#define KERNEL_NET_LOOPBACK_H

#include "lib/compiler.h"

#define LOOPBACK_MTU 65536u

/* Registers it as the first device; takes the lock itself. -ENOMEM. */
int loopback_init(void);
bool loopback_is_pending(void);
/* Hands over at most `budget` datagrams; what remains follows by a timer. */
void loopback_deliver(uint32_t budget);

#endif
