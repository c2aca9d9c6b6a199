/*
 * Memory that the guest no longer uses goes back to the host (abi/boot_info.h,
 * BOOT_GIVE_BACK_PORT).
 *
 * On the vcpu's own thread, while it waits in its port write: so there is nothing to
 * acknowledge, and no moment in which the guest could use what is about to vanish.
 */
#ifndef MONITOR_GIVE_BACK_H
#define MONITOR_GIVE_BACK_H

#include "monitor/layout.h"

/* Block `number` (2 MiB) becomes zeroes that need no memory. False: it is not RAM that the
 * guest was given. Any thread. */
bool give_back_block(const struct layout *layout, uint32_t number);

#endif
