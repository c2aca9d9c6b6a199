/* /etc/resolv.conf by the network's configuration. */
#ifndef KERNEL_NET_RESOLV_CONF_H
#define KERNEL_NET_RESOLV_CONF_H

/* At boot, after vfs_init() and net_init(). -ENOMEM. */
int resolv_conf_init(void);

#endif
