/*
 * ChaCha20 generator with fast key erasure. Theory of operation:
 *
 * The generator's whole state is a 256-bit key, guarded by random.lock (rank 60, a
 * leaf). A request takes the lock for two blocks of work: the first 32 bytes of the
 * key stream become the next key, the next 32 are a key of its own for the request,
 * which is then expanded without the lock. What was handed out can be computed
 * neither from the next key nor, once the request is over, from anything in memory.
 * Small requests use the tail of the first block directly.
 *
 * Mixing in: key = first half of ChaCha20(key xor input), so that input which an
 * attacker chose cannot take away what was unknown before.
 */
#include "kernel/random.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "lib/string.h"

#define KEY_WORDS   8
#define BLOCK_BYTES 64
#define KEY_BYTES   (KEY_WORDS * 4)

/* Requests between two times RDRAND and ticks are mixed in. */
#define RESEED_REQUESTS 4096

static struct {
	struct spinlock lock;
	uint32_t key[KEY_WORDS];
	uint64_t nonce; /* blocks made with the present generator, never repeats */
	uint32_t requests_left;
} generator;

static uint32_t rotate_left(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

#define QUARTER_ROUND(a, b, c, d)                                                                  \
	do {                                                                                       \
		a += b, d = rotate_left(d ^ a, 16);                                                \
		c += d, b = rotate_left(b ^ c, 12);                                                \
		a += b, d = rotate_left(d ^ a, 8);                                                 \
		c += d, b = rotate_left(b ^ c, 7);                                                 \
	} while (0)

void chacha20_block(const uint32_t state[16], uint8_t output[64])
{
	uint32_t x[16];

	memcpy(x, state, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER_ROUND(x[0], x[4], x[8], x[12]);
		QUARTER_ROUND(x[1], x[5], x[9], x[13]);
		QUARTER_ROUND(x[2], x[6], x[10], x[14]);
		QUARTER_ROUND(x[3], x[7], x[11], x[15]);
		QUARTER_ROUND(x[0], x[5], x[10], x[15]);
		QUARTER_ROUND(x[1], x[6], x[11], x[12]);
		QUARTER_ROUND(x[2], x[7], x[8], x[13]);
		QUARTER_ROUND(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += state[i];
	memcpy(output, x, sizeof(x)); /* little-endian, as the CPU is */
}

/* Erases secrets even where the compiler sees no further use. */
static void wipe(void *secret, size_t bytes)
{
	memset(secret, 0, bytes);
	__asm__ volatile("" : : "r"(secret) : "memory");
}

static void make_state(uint32_t state[16], const uint32_t key[KEY_WORDS], uint64_t nonce)
{
	static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(state, constants, sizeof(constants));
	memcpy(state + 4, key, KEY_BYTES);
	state[12] = 0; /* block counter; 64 bits, the nonce takes the rest */
	state[13] = 0;
	state[14] = (uint32_t)nonce;
	state[15] = (uint32_t)(nonce >> 32);
}

/* Replaces the key and gives out the other half of the block. */
static void next_half_block_locked(uint8_t half[KEY_BYTES])
{
	uint32_t state[16];
	uint8_t block[BLOCK_BYTES];

	make_state(state, generator.key, generator.nonce++);
	chacha20_block(state, block);
	memcpy(generator.key, block, KEY_BYTES);
	memcpy(half, block + KEY_BYTES, KEY_BYTES);
	wipe(block, sizeof(block));
	wipe(state, sizeof(state));
}

static void mix_locked(const void *data, size_t bytes)
{
	const uint8_t *input = data;
	uint8_t discarded[KEY_BYTES];

	while (bytes > 0) {
		uint32_t words[KEY_WORDS] = {0};
		size_t chunk = MIN(bytes, (size_t)KEY_BYTES);

		memcpy(words, input, chunk);
		for (int i = 0; i < KEY_WORDS; i++)
			generator.key[i] ^= words[i];
		next_half_block_locked(discarded);
		wipe(words, sizeof(words));
		input += chunk;
		bytes -= chunk;
	}
	wipe(discarded, sizeof(discarded));
}

static void mix_hardware_locked(void)
{
	uint64_t words[4];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!arch_random(&words[i]))
			words[i] = arch_ticks();
	mix_locked(words, sizeof(words));
	uint64_t ticks = arch_ticks();
	mix_locked(&ticks, sizeof(ticks));
	wipe(words, sizeof(words));
	generator.requests_left = RESEED_REQUESTS;
}

void random_init(const uint8_t seed[RANDOM_SEED_BYTES])
{
	spin_lock(&generator.lock);
	mix_locked(seed, RANDOM_SEED_BYTES);
	mix_hardware_locked();
	spin_unlock(&generator.lock);
}

void random_add(const void *data, size_t bytes)
{
	/* In pieces, so that a long input does not hold the lock for long. */
	const uint8_t *input = data;

	while (bytes > 0) {
		size_t chunk = MIN(bytes, (size_t)256);

		spin_lock(&generator.lock);
		mix_locked(input, chunk);
		spin_unlock(&generator.lock);
		input += chunk;
		bytes -= chunk;
	}
}

/* Key stream of `key` into the buffer. */
static void expand(const uint32_t key[KEY_WORDS], uint8_t *output, size_t bytes)
{
	uint32_t state[16];
	uint8_t block[BLOCK_BYTES];

	make_state(state, key, 0);
	for (; bytes >= BLOCK_BYTES; output += BLOCK_BYTES, bytes -= BLOCK_BYTES) {
		chacha20_block(state, output);
		if (++state[12] == 0)
			state[13]++;
	}
	if (bytes > 0) {
		chacha20_block(state, block);
		memcpy(output, block, bytes);
		wipe(block, sizeof(block));
	}
	wipe(state, sizeof(state));
}

void random_bytes(void *buffer, size_t bytes)
{
	uint8_t half[KEY_BYTES];
	uint32_t key[KEY_WORDS];

	spin_lock(&generator.lock);
	if (UNLIKELY(generator.requests_left-- == 0))
		mix_hardware_locked();
	next_half_block_locked(half);
	spin_unlock(&generator.lock);

	if (bytes <= KEY_BYTES) {
		memcpy(buffer, half, bytes);
	} else {
		memcpy(key, half, KEY_BYTES);
		expand(key, buffer, bytes);
		wipe(key, sizeof(key));
	}
	wipe(half, sizeof(half));
}

uint64_t random_u64(void)
{
	uint64_t word;

	random_bytes(&word, sizeof(word));
	return word;
}

uint64_t random_below(uint64_t bound)
{
	/* Values below 2^64 mod bound would make some results more likely. */
	uint64_t least = (0 - bound) % bound;
	uint64_t word;

	do
		word = random_u64();
	while (word < least);
	return word % bound;
}
