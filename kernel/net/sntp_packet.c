/* SNTP's packets (RFC 4330, 4 and 5). See sntp.h. */
#include "kernel/net/sntp.h"
#include "lib/endian.h"
#include "lib/string.h"

#define VERSION_4    (4u << 3)
#define MODE_CLIENT  3u
#define MODE_SERVER  4u
#define UNSYNCED     3u
#define STRATUM_MOST 15u
#define NS_PER_S     1000000000ull
#define EPOCH_1970   2208988800ull /* seconds since 1900 */

enum sntp_offset {
	SNTP_FLAGS = 0,
	SNTP_STRATUM = 1,
	SNTP_ORIGINATE = 24,
	SNTP_RECEIVE = 32,
	SNTP_TRANSMIT = 40,
};

void sntp_write_request(uint8_t packet[SNTP_BYTES], uint64_t nonce)
{
	for (uint32_t i = 0; i < SNTP_BYTES; i++)
		packet[i] = 0;
	packet[SNTP_FLAGS] = VERSION_4 | MODE_CLIENT;
	memcpy(packet + SNTP_TRANSMIT, &nonce, sizeof(nonce));
}

/* Seconds with the first bit clear are those after 2036 (RFC 4330, 3). 0: none. */
static uint64_t read_time(const uint8_t *at)
{
	uint64_t seconds = load_be32(at), fraction = load_be32(at + 4);

	if (seconds == 0 && fraction == 0)
		return 0;
	if (seconds < 1ull << 31)
		seconds += 1ull << 32;
	return (seconds - EPOCH_1970) * NS_PER_S + (fraction * NS_PER_S >> 32);
}

bool sntp_read_answer(const uint8_t *packet, uint32_t bytes, uint64_t nonce, uint64_t sent_ns,
	uint64_t received_ns, int64_t *offset_ns)
{
	uint64_t server_received, server_sent;

	if (bytes < SNTP_BYTES || (packet[SNTP_FLAGS] & 7u) != MODE_SERVER ||
		packet[SNTP_FLAGS] >> 6 == UNSYNCED)
		return false;
	/* Stratum 0 is a kiss of death. */
	if (packet[SNTP_STRATUM] == 0 || packet[SNTP_STRATUM] > STRATUM_MOST ||
		memcmp(packet + SNTP_ORIGINATE, &nonce, sizeof(nonce)) != 0)
		return false;
	server_received = read_time(packet + SNTP_RECEIVE);
	server_sent = read_time(packet + SNTP_TRANSMIT);
	if (server_received == 0 || server_sent == 0 || server_sent < server_received)
		return false;
	*offset_ns =
		((int64_t)(server_received - sent_ns) + (int64_t)(server_sent - received_ns)) / 2;
	return true;
}
