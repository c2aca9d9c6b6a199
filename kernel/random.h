/*
 * Randomness for the kernel and getrandom(2).
 *
 * A ChaCha20 generator with fast key erasure per call of bulk size (RFC 8439 for the
 * block function): each request first replaces the key it was made with, so that
 * what was handed out cannot be found again in memory. Keyed at boot from the
 * launcher's seed, RDRAND and the tick counter; RDRAND and ticks are mixed in again
 * from time to time. Any context; never sleeps, never fails.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "lib/compiler.h"

#define RANDOM_SEED_BYTES 64

/* Before the first request. The caller wipes `seed` afterwards. */
void random_init(const uint8_t seed[RANDOM_SEED_BYTES]);
void random_bytes(void *buffer, size_t bytes);
uint64_t random_u64(void);
/* Uniform in [0, bound); bound is not 0. */
uint64_t random_below(uint64_t bound);
/* Mixes in more entropy (virtio-rng, the program's writes to /dev/random). */
void random_add(const void *data, size_t bytes);

/* The block function of RFC 8439, section 2.3. */
void chacha20_block(const uint32_t state[16], uint8_t output[64]);

#endif
