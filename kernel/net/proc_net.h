/*
 * /proc/net, /proc/sys/net and /sys/class/net, as far as programs read them.
 */
#ifndef KERNEL_NET_PROC_NET_H
#define KERNEL_NET_PROC_NET_H

/* At boot, when all devices are known. 0 or -ENOMEM. */
int proc_net_init(void);

#endif
