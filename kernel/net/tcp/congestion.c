/* Congestion control: CUBIC (RFC 9438) with HyStart's delay test (RFC 9406), and Reno. */
#include "kernel/net/tcp/connection.h"

uint32_t tcp_initial_window(const struct tcp *tcp)
{
	return 10u * tcp->mss; /* RFC 6928 */
}

/* Slow start: what is left of `bytes` once the threshold is reached. */
static uint32_t slow_start(struct tcp *tcp, uint32_t bytes)
{
	uint32_t part = MIN(bytes, tcp->ssthresh - tcp->cwnd);

	tcp->cwnd += part;
	return bytes - part;
}

/* ---- Reno -------------------------------------------------------------------------------- */

static void reno_start(struct tcp *tcp)
{
	tcp->cubic = (struct tcp_cubic){0};
}

static void reno_acked(struct tcp *tcp, uint32_t bytes)
{
	if (tcp->cwnd < tcp->ssthresh)
		bytes = slow_start(tcp, bytes);
	tcp->cwnd += (uint32_t)MAX((uint64_t)bytes * tcp->mss / tcp->cwnd, bytes != 0 ? 1u : 0u);
}

static uint32_t reno_reduced(struct tcp *tcp)
{
	return MAX(tcp->cwnd / 2, 2u * tcp->mss);
}

/* ---- CUBIC --------------------------------------------------------------------------------- */

static uint32_t cube_root(uint64_t value)
{
	uint64_t root = 0;

	for (int bit = 21; bit >= 0; bit--) {
		uint64_t trial = root | 1ull << bit;

		if (trial * trial <= value / trial)
			root = trial;
	}
	return (uint32_t)root;
}

static void start_epoch(struct tcp *tcp)
{
	struct tcp_cubic *cubic = &tcp->cubic;

	cubic->epoch_ns = tcp_now_ns;
	cubic->friendly = tcp->cwnd;
	cubic->origin = MAX(cubic->maximum, tcp->cwnd);
	/* K = cbrt((W_max - cwnd) / C), C = 0.4 segments / s^3, in milliseconds. */
	cubic->k_ms = cube_root((uint64_t)(cubic->origin - tcp->cwnd) / tcp->mss * 2500000000ull);
}

static uint32_t cubic_target(const struct tcp *tcp)
{
	const struct tcp_cubic *cubic = &tcp->cubic;
	int64_t t = (int64_t)((tcp_now_ns - cubic->epoch_ns) / TCP_NS_PER_MS) +
		    tcp->min_rtt_us / 1000 - cubic->k_ms;
	int64_t segments_e3, target;

	t = MIN(MAX(t, -100000), 100000);
	segments_e3 = t * t * t / 1000000 * 4 / 10; /* thousandths of a segment */
	target = (int64_t)cubic->origin + segments_e3 * tcp->mss / 1000;
	return (uint32_t)MIN(MAX(target, (int64_t)tcp->cwnd), (int64_t)tcp->cwnd * 3 / 2);
}

static void hystart(struct tcp *tcp)
{
	struct tcp_cubic *cubic = &tcp->cubic;
	uint32_t threshold = MIN(MAX(cubic->last_round_min_us / 8, 4000u), 16000u);

	if (!seq_before(tcp->snd_una, cubic->round_end)) {
		cubic->last_round_min_us = cubic->round_min_us;
		cubic->round_min_us = UINT32_MAX;
		cubic->round_samples = 0;
		cubic->round_end = tcp->snd_nxt;
	}
	cubic->round_min_us = MIN(cubic->round_min_us, tcp->last_rtt_us);
	if (++cubic->round_samples >= 8 && cubic->last_round_min_us != 0 &&
		cubic->last_round_min_us != UINT32_MAX &&
		cubic->round_min_us >= cubic->last_round_min_us + threshold &&
		tcp->cwnd >= 16u * tcp->mss)
		tcp->ssthresh = tcp->cwnd;
}

static void cubic_acked(struct tcp *tcp, uint32_t bytes)
{
	struct tcp_cubic *cubic = &tcp->cubic;
	uint32_t target;

	if (tcp->cwnd < tcp->ssthresh) {
		hystart(tcp);
		if (tcp->cwnd < tcp->ssthresh)
			bytes = slow_start(tcp, bytes);
		if (bytes == 0)
			return;
	}
	if (cubic->epoch_ns == 0)
		start_epoch(tcp);
	target = cubic_target(tcp);
	/* As fast as Reno at least: 3 * (1 - 0.7) / (1 + 0.7) of a segment in a round trip. */
	cubic->friendly += (uint32_t)((uint64_t)bytes * tcp->mss * 529 / 1000 / tcp->cwnd);
	target = MAX(target, cubic->friendly);
	if (target > tcp->cwnd)
		tcp->cwnd += (uint32_t)((uint64_t)(target - tcp->cwnd) * bytes / tcp->cwnd);
}

static uint32_t cubic_reduced(struct tcp *tcp)
{
	struct tcp_cubic *cubic = &tcp->cubic;

	/* Fast convergence. */
	cubic->maximum =
		tcp->cwnd < cubic->maximum ? (uint32_t)(tcp->cwnd * 17ull / 20) : tcp->cwnd;
	cubic->epoch_ns = 0;
	return MAX((uint32_t)(tcp->cwnd * 7ull / 10), 2u * tcp->mss);
}

static const struct tcp_congestion algorithms[] = {
	{"cubic", reno_start, cubic_acked, cubic_reduced},
	{"reno", reno_start, reno_acked, reno_reduced},
};

const struct tcp_congestion *tcp_congestion_find(const char *name)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	}
	return NULL;
}
