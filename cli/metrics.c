/*
 * A small HTTP server for one page: see cli/metrics.h.
 *
 * One request a connection, one after the other; each has a second to arrive. The format is
 * Prometheus's text exposition format 0.0.4.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/metrics.h"
#include "cli/sample.h"
#include "host/alloc.h"
#include "host/report.h"

#define REQUEST_BYTES 4096

struct metric {
	const char *name, *type, *help;
	double (*value)(const struct sample *sample);
};

static double cpu_seconds(const struct sample *sample)
{
	return (double)sample->cpu_ns / 1e9;
}

static double start_seconds(const struct sample *sample)
{
	return (double)sample->start_time_ns / 1e9;
}

#define FIELD(function, field)                                                                     \
	static double function(const struct sample *sample)                                        \
	{                                                                                          \
		return (double)sample->field;                                                      \
	}
FIELD(private_bytes, private_bytes)
FIELD(shared_bytes, shared_bytes)
FIELD(limit_bytes, memory_limit_bytes)
FIELD(restarts, restarts)
FIELD(net_received, counters.net_received_bytes)
FIELD(net_sent, counters.net_sent_bytes)
FIELD(packets_received, counters.net_received_packets)
FIELD(packets_sent, counters.net_sent_packets)
FIELD(disk_read, counters.disk_read_bytes)
FIELD(disk_written, counters.disk_written_bytes)

static const struct metric metrics[] = {
	{"burrow_cpu_seconds_total", "counter", "CPU time of the VM's process.", cpu_seconds},
	{"burrow_start_time_seconds", "gauge", "Start, in seconds since 1970.", start_seconds},
	{"burrow_memory_private_bytes", "gauge", "Memory of this VM alone.", private_bytes},
	{"burrow_memory_shared_bytes", "gauge", "Pages of files.", shared_bytes},
	{"burrow_memory_limit_bytes", "gauge", "Memory the VM may use.", limit_bytes},
	{"burrow_restarts_total", "counter", "Starts after the first.", restarts},
	{"burrow_network_receive_bytes_total", "counter", "Bytes to the VM.", net_received},
	{"burrow_network_transmit_bytes_total", "counter", "Bytes from the VM.", net_sent},
	{"burrow_network_receive_packets_total", "counter", "Frames to the VM.", packets_received},
	{"burrow_network_transmit_packets_total", "counter", "Frames from the VM.", packets_sent},
	{"burrow_disk_read_bytes_total", "counter", "Bytes read from disks.", disk_read},
	{"burrow_disk_written_bytes_total", "counter", "Bytes written to disks.", disk_written},
};

static void print_metrics(FILE *stream)
{
	struct sample_list list = {0};

	sample_all(&list);
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		const struct metric *metric = &metrics[i];

		fprintf(stream, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
			metric->name, metric->type);
		for (size_t j = 0; j < list.count; j++)
			fprintf(stream, "%s{name=\"%s\"} %.17g\n", metric->name, list.items[j].name,
				metric->value(&list.items[j]));
	}
	free(list.items);
}

/* ---- HTTP ---------------------------------------------------------------------- */

/* Reads up to the empty line; false: no whole request came. */
static bool read_request(int fd, char *request)
{
	size_t used = 0;

	while (used < REQUEST_BYTES - 1) {
		ssize_t got = read(fd, request + used, REQUEST_BYTES - 1 - used);

		if (got <= 0)
			return false;
		used += (size_t)got;
		request[used] = 0;
		if (strstr(request, "\r\n\r\n") != NULL || strstr(request, "\n\n") != NULL)
			return true;
	}
	return false;
}

static void send_all(int fd, const char *text, size_t bytes)
{
	while (bytes != 0) {
		ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		text += sent;
		bytes -= (size_t)sent;
	}
}

static void answer(int fd)
{
	static const char not_found[] = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n"
					"Content-Length: 25\r\n\r\nThe page here is /metrics\n";
	char request[REQUEST_BYTES], *body = NULL, *head;
	size_t bytes = 0;
	FILE *stream;

	if (!read_request(fd, request))
		return;
	if (strncmp(request, "GET /metrics ", 13) != 0) {
		send_all(fd, not_found, sizeof(not_found) - 1);
		return;
	}
	stream = open_memstream(&body, &bytes);
	if (stream == NULL)
		return;
	print_metrics(stream);
	fclose(stream);
	head = alloc_text("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain; "
			  "version=0.0.4\r\nContent-Length: %zu\r\n\r\n",
		bytes);
	send_all(fd, head, strlen(head));
	send_all(fd, body, bytes);
	free(head);
	free(body);
}

/* "8080", "10.0.0.1:8080" or "[::1]:8080". */
static int open_listener(const char *where)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	const char *colon = strrchr(where, ':');
	const char *port = colon != NULL ? colon + 1 : where;
	char *address = colon != NULL ? alloc_text("%.*s", (int)(colon - where), where)
				      : alloc_text("127.0.0.1");
	struct addrinfo *found;
	const int on = 1;
	int fd;

	if (*address == '[' && address[strlen(address) - 1] == ']') {
		address[strlen(address) - 1] = 0;
		address++;
	}
	if (*port == 0 || getaddrinfo(address, port, &hints, &found) != 0)
		report_fail(STATUS_TOOL_FAILED,
			"--listen %s: not a port, nor ADDRESS:PORT with a numeric address", where);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 16) != 0)
		report_fail(STATUS_TOOL_FAILED, "--listen %s: %s", where, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

void metrics_serve(const char *where)
{
	const struct timeval patience = {.tv_sec = 1};
	int listener = open_listener(where);

	report_note("metrics at http://%s%s/metrics",
		strchr(where, ':') != NULL ? "" : "127.0.0.1:", where);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		answer(fd);
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}
