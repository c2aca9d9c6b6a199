/*
 * Frames against the IP layer. The input is a series of frames (two bytes of length, then
 * the frame) with pauses between (length 0: the next byte in tenths of a second). Checksums
 * are put right in half of them, which would else hide what lies behind; the destination is
 * made ours in most.
 */
#include <string.h>

#include "arch/host/fake_transports.h"
#include "lib/endian.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct net_device *device;
static uint8_t frame[2048];

static void mend_icmp6(uint8_t *ip, uint32_t bytes)
{
	uint32_t sum = checksum_add(ip + 8, 32, 0);
	uint8_t tail[4] = {0, 58, (uint8_t)((bytes - 40) >> 8), (uint8_t)(bytes - 40)};
	uint16_t final = 0;

	if (ip[6] != 58 || bytes < 44)
		return;
	memcpy(ip + 42, &final, 2);
	final = checksum_finish(checksum_add(ip + 40, bytes - 40, checksum_add(tail, 4, sum)));
	memcpy(ip + 42, &final, 2);
}

static void mend_ip4(uint8_t *ip, uint32_t bytes)
{
	uint32_t header = (ip[0] & 15u) * 4;
	uint16_t final = 0;

	if (header < 20 || header > bytes)
		return;
	memcpy(ip + 10, &final, 2);
	final = checksum_finish(checksum_add(ip, header, 0));
	memcpy(ip + 10, &final, 2);
	final = 0;
	if ((ip[9] == 1 || ip[9] == 2) && bytes >= header + 4) {
		memcpy(ip + header + 2, &final, 2);
		final = checksum_finish(checksum_add(ip + header, bytes - header, 0));
		memcpy(ip + header + 2, &final, 2);
	} else if (ip[9] == 17 && bytes >= header + 8) {
		memcpy(ip + header + 6, &final, 2);
	}
}

/* The first byte says what is put right. */
static void mend(uint8_t what, uint32_t bytes)
{
	static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 2};

	if (bytes < 34 || !(what & 1))
		return;
	if (!(what & 2))
		memcpy(frame, own_mac, 6);
	store_be16(frame + 12, what & 4 ? 0x86dd : what & 8 ? 0x0806 : 0x0800);
	if (what & 4 && bytes >= 54) {
		frame[14] = 0x60;
		store_be16(frame + 18, (uint16_t)(bytes - 54));
		mend_icmp6(frame + 14, bytes - 14);
	} else if (!(what & 12)) {
		frame[14] = (uint8_t)(0x40 | (frame[14] & 15));
		store_be16(frame + 16, (uint16_t)(bytes - 14));
		mend_ip4(frame + 14, bytes - 14);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const uint8_t *end = data + bytes;

	if (!device)
		device = fake_network_start("dhcp,ra,ip=10.0.0.2/24,ip=fd00::2/64", 0);
	while (end - data >= 3) {
		uint32_t length = load_be16(data) % sizeof(frame);
		uint8_t what = data[2];

		data += 3;
		if (length == 0) {
			fake_network_pass(what * 100000000ull);
			continue;
		}
		length = (uint32_t)MIN((size_t)length, (size_t)(end - data));
		if (length == 0)
			break;
		memcpy(frame, data, length);
		data += length;
		mend(what, length);
		fake_udp_refuses = what & 64;
		fake_network_receive(device, frame, length);
	}
	fake_network_clear();
	return 0;
}
