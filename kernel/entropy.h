/*
 * The entropy device (virtio 1.2, section 5.4), if the launcher gives one: one request
 * at boot, mixed into kernel/random.h when it arrives. Nobody waits for it.
 */
#ifndef KERNEL_ENTROPY_H
#define KERNEL_ENTROPY_H

void rng_init(void);

#endif
