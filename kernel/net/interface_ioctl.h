/*
 * The requests of netdevice(7) that any socket takes: SIOCGIFCONF, SIOCGIFINDEX and so on.
 */
#ifndef KERNEL_NET_INTERFACE_IOCTL_H
#define KERNEL_NET_INTERFACE_IOCTL_H

#include "lib/compiler.h"
#include "kernel/net/device.h"

/* `argument`: the program's pointer to a struct ifreq or ifconf. Takes the network lock.
 * -ENOTTY: no such request; -ENODEV, -EADDRNOTAVAIL, -EFAULT. */
long interface_ioctl(uint32_t request, uintptr_t argument);
/* IFF_ bits as Linux shows them. */
uint32_t interface_flags(const struct net_device *device);

#endif
