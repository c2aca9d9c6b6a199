/* struct tcp_info of Linux (include/uapi/linux/tcp.h), as far as it is kept. */
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"

struct linux_tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options, scales, flags;
	uint32_t rto, ato, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt, rcv_space, total_retrans;
};

_Static_assert(sizeof(struct linux_tcp_info) == 104, "layout of tcp_info");

enum tcp_info_options {
	INFO_TIMESTAMPS = 1,
	INFO_SACK = 2,
	INFO_SCALE = 4,
};

static uint32_t ms_since(uint64_t ns)
{
	return ns ? (uint32_t)((tcp_now_ns - ns) / TCP_NS_PER_MS) : 0;
}

static void fill(const struct tcp *tcp, struct linux_tcp_info *info)
{
	uint32_t mss = MAX(tcp->mss, 1u);

	*info = (struct linux_tcp_info){.state = tcp->state,
		.ca_state = (uint8_t)(tcp->recovery == TCP_LOSS       ? 4
				      : tcp->recovery == TCP_RECOVERY ? 3
								      : 0),
		.retransmits = (uint8_t)MIN(tcp->retransmissions, 255u),
		.probes = (uint8_t)MIN(tcp->probes, 255u),
		.backoff = tcp->backoff,
		.options = (uint8_t)((tcp->use_timestamps ? INFO_TIMESTAMPS : 0) |
				     (tcp->use_sack ? INFO_SACK : 0) |
				     (tcp->use_scale ? INFO_SCALE : 0)),
		.scales = (uint8_t)(tcp->snd_scale | tcp->rcv_scale << 4),
		.rto = tcp->rto_ms * 1000,
		.ato = 40000,
		.snd_mss = tcp->mss,
		.rcv_mss = tcp->rcv_mss,
		.unacked = (tcp->snd_nxt - tcp->snd_una + mss - 1) / mss,
		.sacked = (tcp->sacked_bytes + mss - 1) / mss,
		.lost = (tcp->lost_bytes + mss - 1) / mss,
		.retrans = (tcp->again_bytes + mss - 1) / mss,
		.last_data_sent = ms_since(tcp->last_sent_ns),
		.last_data_recv = ms_since(tcp->last_received_ns),
		.last_ack_recv = ms_since(tcp->last_received_ns),
		.pmtu = tcp->path_mss + 40u,
		.rcv_ssthresh = tcp->rcv_limit,
		.rtt = tcp->srtt_us,
		.rttvar = tcp->rttvar_us,
		.snd_ssthresh = tcp->ssthresh / mss,
		.snd_cwnd = tcp->cwnd / mss,
		.advmss = tcp->path_mss,
		.reordering = 3,
		.rcv_rtt = tcp->rcv_rtt_us,
		.rcv_space = tcp->rcv_limit,
		.total_retrans = tcp->total_retransmissions};
	if (tcp->state == TCP_LISTEN && tcp->listener) {
		info->unacked = tcp->listener->accepted_count;
		info->sacked = tcp->listener->backlog;
	}
}

size_t tcp_info(struct tcp *tcp, void *info, size_t bytes)
{
	struct linux_tcp_info full;

	tcp_enter();
	fill(tcp, &full);
	tcp_leave();
	bytes = MIN(bytes, sizeof(full));
	memcpy(info, &full, bytes);
	return bytes;
}
