/* Host tests of SNTP's packets. */
#include "kernel/net/sntp.h"
#include "lib/endian.h"
#include "lib/test.h"

#include <string.h>

#define S          1000000000ull
#define EPOCH_1970 2208988800ull

static const uint64_t nonce = 0x123456789abcdef0ull;

/* An answer by a server whose clock reads these nanoseconds since 1970. */
static void make_answer(uint8_t packet[SNTP_BYTES], uint64_t received_ns, uint64_t sent_ns)
{
	memset(packet, 0, SNTP_BYTES);
	packet[0] = 0x24;
	packet[1] = 2;
	memcpy(packet + 24, &nonce, sizeof(nonce));
	store_be32(packet + 32, (uint32_t)(received_ns / S + EPOCH_1970));
	store_be32(packet + 36, (uint32_t)((received_ns % S << 32) / S));
	store_be32(packet + 40, (uint32_t)(sent_ns / S + EPOCH_1970));
	store_be32(packet + 44, (uint32_t)((sent_ns % S << 32) / S));
}

TEST(a_request_says_nothing_but_the_nonce)
{
	uint8_t packet[SNTP_BYTES], zero[39] = {0};

	sntp_write_request(packet, nonce);
	CHECK_EQUAL(packet[0], 0x23);
	CHECK_EQUAL(memcmp(packet + 1, zero, sizeof(zero)), 0);
	CHECK_EQUAL(memcmp(packet + 40, &nonce, sizeof(nonce)), 0);
}

TEST(the_offset_leaves_the_way_out_of_account)
{
	uint64_t now = 1700000000ull * S;
	uint8_t packet[SNTP_BYTES];
	int64_t offset;

	/* The server is 100 s ahead; 20 ms there, 5 ms inside, 20 ms back. */
	make_answer(packet, now + 100 * S + 20000000, now + 100 * S + 25000000);
	CHECK(sntp_read_answer(packet, SNTP_BYTES, nonce, now, now + 45000000, &offset));
	CHECK(offset > (int64_t)(100 * S) - 1000 && offset < (int64_t)(100 * S) + 1000);
	/* And behind; after 2036 the seconds begin anew. */
	now = 2100000000ull * S;
	make_answer(packet, now - 7 * S, now - 7 * S);
	CHECK(sntp_read_answer(packet, SNTP_BYTES, nonce, now, now, &offset));
	CHECK(offset > -(int64_t)(7 * S) - 1000 && offset < -(int64_t)(7 * S) + 1000);
	now = 2200000000ull * S;
	make_answer(packet, now, now);
	CHECK(sntp_read_answer(packet, SNTP_BYTES, nonce, now, now, &offset));
	CHECK(offset > -1000 && offset < 1000);
}

TEST(what_is_no_answer)
{
	uint64_t now = 1700000000ull * S;
	uint8_t packet[SNTP_BYTES];
	int64_t offset;
	static const struct {
		int at, value;
	} wrong[] = {{0, 0x23}, {0, 0xe4}, {1, 0}, {1, 16}, {24, 0}};

	make_answer(packet, now, now);
	CHECK(!sntp_read_answer(packet, SNTP_BYTES - 1, nonce, now, now, &offset));
	CHECK(!sntp_read_answer(packet, SNTP_BYTES, nonce + 1, now, now, &offset));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		make_answer(packet, now, now);
		packet[wrong[i].at] = (uint8_t)wrong[i].value;
		CHECK(!sntp_read_answer(packet, SNTP_BYTES, nonce, now, now, &offset));
	}
	make_answer(packet, now, now);
	memset(packet + 40, 0, 8);
	CHECK(!sntp_read_answer(packet, SNTP_BYTES, nonce, now, now, &offset));
	make_answer(packet, now, now - S);
	CHECK(!sntp_read_answer(packet, SNTP_BYTES, nonce, now, now, &offset));
}

TEST_DEFINE_MAIN
