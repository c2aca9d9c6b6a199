/* See block_log.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "monitor/block_log.h"
#include "monitor/message.h"

/* Sandbox, disk: write writev */

void block_log_open(struct block_log *log, const char *path)
{
	pthread_mutex_init(&log->lock, NULL);
	log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log->fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "--disk-log %s: %s", path, strerror(errno));
}

static bool write_all(int fd, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes > 0) {
		ssize_t written = write(fd, at, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		at += written;
		bytes -= (size_t)written;
	}
	return true;
}

void block_log_add(struct block_log *log, enum block_log_kind kind, unsigned disk, uint64_t offset,
	uint64_t bytes, const struct iovec *parts, unsigned part_count)
{
	struct block_log_record record = {.magic = BLOCK_LOG_MAGIC,
		.kind = (uint8_t)kind,
		.disk = (uint8_t)disk,
		.offset = offset,
		.bytes = bytes};
	bool is_good;

	pthread_mutex_lock(&log->lock);
	is_good = write_all(log->fd, &record, sizeof(record));
	for (unsigned i = 0; i < part_count && is_good; i++)
		is_good = write_all(log->fd, parts[i].iov_base, parts[i].iov_len);
	pthread_mutex_unlock(&log->lock);
	if (!is_good)
		message_fail(STATUS_MONITOR_FAILED, "--disk-log: %s", strerror(errno));
}

uint64_t block_log_flush_number(struct block_log *log)
{
	return __atomic_add_fetch(&log->flushes, 1, __ATOMIC_RELAXED);
}
