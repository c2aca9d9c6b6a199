/* A thread that asks a time server and sets the clock: see sntp.h. */
#include "kernel/net/sntp.h"
#include "kernel/fs/poll.h"
#include "kernel/log.h"
#include "kernel/net/inet_datagram.h"
#include "kernel/net/inet_name.h"
#include "kernel/net/ip.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/thread.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

#define NTP_PORT     123
#define NS_PER_S     1000000000ull
#define ANSWER_NS    (2 * NS_PER_S)
#define FIRST_PAUSE  (2 * NS_PER_S) /* doubled while nobody answers */
#define PAUSE        (15 * 60 * NS_PER_S)
#define STEP_LEAST   1000000 /* ns: less is noise */
#define STEP_NOTABLE 1000000000ll

static struct ip_address server;
static bool has_server;

void sntp_set_server(const struct ip_address *address)
{
	if (!has_server)
		server = *address;
	has_server = true;
}

static int send_request(struct socket *socket, uint64_t nonce)
{
	uint8_t packet[SNTP_BYTES];
	struct uio_part part;
	struct uio uio;
	struct socket_message message = {.uio = &uio};

	sntp_write_request(packet, nonce);
	uio_init_kernel(&uio, &part, packet, sizeof(packet));
	return socket->ops->send(socket, &message) == sizeof(packet) ? 0 : -LINUX_EIO;
}

/* True: the clock was set by an answer that came until then. */
static bool receive_answer(
	struct socket *socket, uint64_t nonce, uint64_t sent_ns, uint64_t deadline_ns)
{
	uint8_t packet[SNTP_BYTES + 32];
	struct uio_part part;
	struct uio uio;
	struct socket_message message = {.uio = &uio, .flags = LINUX_MSG_DONTWAIT};
	int64_t offset_ns;
	long bytes;

	for (;;) {
		if (WAIT_UNTIL(socket->events, socket->ops->poll(socket) & POLL_IN, deadline_ns) !=
			0)
			return false;
		uio_init_kernel(&uio, &part, packet, sizeof(packet));
		bytes = socket->ops->receive(socket, &message);
		if (bytes < 0 && bytes != -LINUX_EAGAIN)
			return false; /* refused */
		if (bytes > 0 && sntp_read_answer(packet, (uint32_t)bytes, nonce, sent_ns,
					 clock_realtime_ns(), &offset_ns))
			break;
	}
	if (offset_ns > -STEP_LEAST && offset_ns < STEP_LEAST)
		return true;
	if (offset_ns > STEP_NOTABLE || offset_ns < -STEP_NOTABLE)
		log_notice("the time server moves the clock by %lld s",
			(long long)(offset_ns / STEP_NOTABLE));
	clock_set_realtime_ns(clock_realtime_ns() + (uint64_t)offset_ns);
	return true;
}

static bool ask(struct socket *socket)
{
	uint64_t nonce, sent_ns;

	random_bytes(&nonce, sizeof(nonce));
	sent_ns = clock_realtime_ns();
	return send_request(socket, nonce) == 0 &&
	       receive_answer(socket, nonce, sent_ns, clock_monotonic_ns() + ANSWER_NS);
}

static bool ask_once(void)
{
	uint16_t family = ip_address_is_v4(&server) ? LINUX_AF_INET : LINUX_AF_INET6;
	struct ip_endpoint to = {.address = server, .port = NTP_PORT};
	struct socket_name name;
	struct socket *socket;
	bool is_set = false;

	if (inet_datagram_create(family, LINUX_SOCK_DGRAM, 0, &socket) != 0)
		return false;
	inet_name_write(&name, family, &to);
	if (socket->ops->connect(socket, &name) == 0)
		is_set = ask(socket);
	socket_release(socket);
	return is_set;
}

static _Noreturn void run(void *argument)
{
	uint64_t pause = FIRST_PAUSE;

	(void)argument;
	for (;;) {
		uint64_t until;

		if (ip_is_configuring())
			(void)WAIT_UNTIL(ip_configuration_events(), !ip_is_configuring(),
				clock_monotonic_ns() + PAUSE);
		pause = ask_once() ? PAUSE : MIN(pause * 2, PAUSE);
		until = clock_monotonic_ns() + pause;
		while (clock_monotonic_ns() < until)
			thread_sleep(until);
		if (pause == PAUSE)
			pause = FIRST_PAUSE;
	}
}

int sntp_init(void)
{
	return has_server ? thread_start_kernel("sntp", run, NULL) : 0;
}
