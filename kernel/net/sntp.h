/*
 * Sets the wall clock by time servers (SNTP, RFC 4330), when the settings of an interface name one
 * (ntp=). At boot at once, then every quarter of an hour.
 */
#ifndef KERNEL_NET_SNTP_H
#define KERNEL_NET_SNTP_H

#include "kernel/net/address.h"

/* From the settings, before sntp_init(); the first one counts. */
void sntp_set_server(const struct ip_address *server);
/* Starts asking, if there is a server. -ENOMEM. */
int sntp_init(void);

#define SNTP_BYTES 48u

/* The request that carries `nonce`, in the place of the time that it is sent. */
void sntp_write_request(uint8_t packet[SNTP_BYTES], uint64_t nonce);
/*
 * Reads the answer to the request with `nonce`, sent and received at these times of the wall
 * clock. True: *offset_ns is to be added to the clock.
 */
bool sntp_read_answer(const uint8_t *packet, uint32_t bytes, uint64_t nonce, uint64_t sent_ns,
	uint64_t received_ns, int64_t *offset_ns);

#endif
