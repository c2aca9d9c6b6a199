/*
 * What kernel/net/socket.c and the families need beside the network, for host tests and fuzzers
 * that call struct socket_ops themselves: no files, no other families, all capabilities.
 */
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/credentials.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe_buffer.h"
#include "kernel/net/inet_stream.h"
#include "kernel/net/inet_family.h"
#include "kernel/net/ip.h"
#include "kernel/net/socket.h"
#include "kernel/net/socket_file.h"
#include "kernel/net/tcp.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/sched.h"

struct sched_device_poll *sched_device_poll;
const struct socket_family socket_family_unix;

struct file *socket_file_create(struct socket *socket, uint32_t flags)
{
	(void)flags;
	socket_release(socket);
	return NULL;
}

struct socket *socket_of_file(const struct file *file)
{
	(void)file;
	return NULL;
}

void file_release(struct file *file)
{
	(void)file;
}

void pipe_send_broken(void)
{
}

bool credentials_has(enum capability capability)
{
	(void)capability;
	return true;
}

uint64_t clock_realtime_ns(void)
{
	return clock_monotonic_ns();
}

uint32_t sched_cpu_count(void)
{
	return 1;
}

uint32_t arch_cpu_index(void)
{
	return 0;
}

/* ---- TCP is not there ----------------------------------------------------------------------- */

int inet_stream_create(uint16_t family, int protocol, struct socket **socket)
{
	(void)family, (void)protocol, (void)socket;
	return -LINUX_ESOCKTNOSUPPORT;
}

int tcp_init(void)
{
	return 0;
}

void tcp_input(struct packet *packet, const struct ip_received *ip)
{
	(void)ip;
	packet_release(packet);
}

void tcp_error(const struct ip_error *error)
{
	(void)error;
}
