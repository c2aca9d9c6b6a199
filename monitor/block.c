/*
 * virtio-blk, device side: what a request does. See block.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor/block.h"
#include "monitor/message.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

#define SECTOR      VIRTIO_BLK_SECTOR_BYTES
#define RANGE_MOST  (1u << 21) /* sectors of a discard: the guest cuts larger ones */
#define AHEAD_BYTES (16u << 10)
#define QUICK_BYTES (256u << 10) /* a write of this much into the page cache is quick */

/* ---- the file ---------------------------------------------------------------------------- */

const char *block_use_file(struct block_device *device, int fd)
{
	struct stat status;
	int sector = 512;

	if (fstat(fd, &status) != 0)
		return strerror(errno);
	device->fd = fd;
	device->sector_bytes = SECTOR;
	device->is_device = S_ISBLK(status.st_mode);
	if (device->is_device) {
		if (ioctl(fd, BLKGETSIZE64, &device->bytes) != 0 ||
			ioctl(fd, BLKSSZGET, &sector) != 0)
			return strerror(errno);
		device->sector_bytes = (uint32_t)sector;
	} else if (S_ISREG(status.st_mode)) {
		device->bytes = (uint64_t)status.st_size;
	} else {
		return "neither a regular file nor a block device";
	}
	device->bytes = ALIGN_DOWN(device->bytes, device->sector_bytes);
	if (device->bytes == 0)
		return "smaller than a sector (512 bytes); make it larger, for instance with "
		       "burrow volume create";
	device->can_discard = !device->read_only;
	return NULL;
}

/* Sandbox, disk: preadv pwritev preadv2 fdatasync fallocate flock fcntl ioctl lseek fstat */

/* Locks of open file descriptions (not of the process) and flock do not see each other; both
 * are common, and some host file systems have but one. The lock ends with the monitor. */
static void lock_file(const struct block_device *device, const char *path)
{
	struct flock whole = {
		.l_type = device->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
	int kind = device->read_only ? LOCK_SH : LOCK_EX;

	if (flock(device->fd, kind | LOCK_NB) == 0) {
		if (fcntl(device->fd, F_OFD_SETLK, &whole) == 0 ||
			(errno != EAGAIN && errno != EACCES))
			return;
	} else if (errno != EWOULDBLOCK) {
		return;
	}
	message_fail(STATUS_MONITOR_FAILED,
		"--disk %s: %s is in use by another VM%s; stop that one, or give both :ro",
		device->name, path, device->read_only ? ", which writes to it" : "");
}

void block_unlock(const struct block_device *device)
{
	struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void)fcntl(device->fd, F_OFD_SETLK, &whole);
	(void)flock(device->fd, LOCK_UN);
}

void block_open(struct block_device *device, const char *name, const char *path, bool read_only)
{
	const char *wrong;
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);

	device->name = name;
	device->read_only = read_only;
	if (fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "--disk %s: %s: %s%s", name, path,
			strerror(errno),
			errno == ENOENT ? "; make it with burrow volume create" : "");
	wrong = block_use_file(device, fd);
	if (wrong)
		message_fail(STATUS_MONITOR_FAILED, "--disk %s: %s: %s", name, path, wrong);
	lock_file(device, path);
}

uint64_t block_features(const struct block_device *device)
{
	return VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_MQ |
	       (device->read_only ? VIRTIO_BLK_F_RO : 0) |
	       (device->can_discard ? VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES : 0);
}

struct virtio_blk_config block_config(const struct block_device *device)
{
	return (struct virtio_blk_config){
		.capacity = device->bytes / SECTOR,
		.seg_max = RING_MAX_SIZE - 2,
		.blk_size = device->sector_bytes,
		.num_queues = (uint16_t)device->ring_count,
		.max_discard_sectors = RANGE_MOST,
		.max_discard_seg = 1,
		.discard_sector_alignment = device->sector_bytes / SECTOR,
		.max_write_zeroes_sectors = RANGE_MOST,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
}

/* ---- a request --------------------------------------------------------------------------- */

/* Copies the first bytes of what the device reads out of the guest; false: there are fewer. */
static bool copy_front(struct ring_request *request, void *to, size_t bytes, unsigned *next)
{
	uint8_t *at = to;

	for (*next = 0; bytes > 0;) {
		struct iovec *part = &request->parts[*next];
		size_t take;

		if (*next == request->read_count)
			return false;
		take = MIN(bytes, part->iov_len);
		memcpy(at, part->iov_base, take);
		part->iov_base = (uint8_t *)part->iov_base + take;
		part->iov_len -= take;
		request->read_bytes -= take;
		at += take;
		bytes -= take;
		if (part->iov_len == 0)
			(*next)++;
	}
	return true;
}

/* Cuts a request into header, data and status. False: the guest's request has no such form. */
static bool parse(struct block_work *work)
{
	struct ring_request *request = &work->request;
	unsigned first, last = request->read_count + request->write_count;
	struct iovec *end;

	if (!copy_front(request, &work->header, sizeof(work->header), &first) ||
		request->write_count == 0)
		return false;
	end = &request->parts[last - 1];
	end->iov_len--;
	request->write_bytes--;
	work->status = (uint8_t *)end->iov_base + end->iov_len;
	if (end->iov_len == 0)
		last--;
	work->data_count = 0;
	work->data_bytes = request->read_bytes + request->write_bytes;
	for (unsigned i = first; i < last; i++)
		work->data[work->data_count++] = request->parts[i];
	return true;
}

bool block_take(struct block_device *device, struct block_work *work)
{
	for (unsigned i = 0; i < device->ring_count; i++) {
		unsigned number = (device->ring_next + i) % device->ring_count;

		work->ring = &device->rings[number];
		if (!ring_take(work->ring, &work->request))
			continue;
		device->ring_next = (number + 1) % device->ring_count;
		if (parse(work))
			return true;
		work->ring->broken = "request of a disk without header or status";
		return false;
	}
	return false;
}

static void report(struct block_device *device, const char *what, int error)
{
	if (__atomic_exchange_n(&device->reported_error, error, __ATOMIC_RELAXED) != error)
		message_print("disk %s: cannot %s: %s; the VM sees an I/O error", device->name,
			what, strerror(error));
}

/* Whether [sector, +bytes) lies within the device; *offset receives where. */
static bool locate(
	const struct block_device *device, uint64_t sector, uint64_t bytes, uint64_t *offset)
{
	if (sector > device->bytes / SECTOR || bytes % SECTOR != 0)
		return false;
	*offset = sector * SECTOR;
	return bytes <= device->bytes - *offset;
}

/* Drops the first `bytes` of the parts; returns the first that is left. */
static struct iovec *advance(struct iovec *parts, unsigned *count, size_t bytes)
{
	while (*count > 0 && bytes >= parts->iov_len) {
		bytes -= parts->iov_len;
		parts++;
		(*count)--;
	}
	if (*count > 0) {
		parts->iov_base = (uint8_t *)parts->iov_base + bytes;
		parts->iov_len -= bytes;
	}
	return parts;
}

enum transfer { READ_QUICKLY, READ, WRITE };

static ssize_t move(int fd, const struct iovec *parts, int count, off_t offset, enum transfer how)
{
	if (how == WRITE)
		return pwritev(fd, parts, count, offset);
	if (how == READ)
		return preadv(fd, parts, count, offset);
	/* Not in every C library. */
	return syscall(SYS_preadv2, fd, parts, (unsigned long)count, (unsigned long)offset, 0ul,
		RWF_NOWAIT);
}

/* Moves all of the data. 0 or an errno: EAGAIN, or that some file systems cannot tell, of
 * READ_QUICKLY. What was moved then is moved again. */
static int transfer(
	struct block_device *device, struct block_work *work, uint64_t offset, enum transfer how)
{
	struct iovec *copy = &work->request.parts[0], *parts = copy;
	unsigned count = work->data_count;

	memcpy(copy, work->data, count * sizeof(copy[0]));
	while (count > 0) {
		ssize_t moved = move(device->fd, parts, (int)count, (off_t)offset, how);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0)
			return errno;
		if (moved == 0)
			return EIO; /* the file is shorter than it was */
		offset += (uint64_t)moved;
		parts = advance(parts, &count, (size_t)moved);
	}
	return 0;
}

/* -1: not without waiting. */
static int do_read(struct block_device *device, struct block_work *work, bool only_quick)
{
	uint64_t offset;
	int error;

	if (work->request.read_bytes != 0 ||
		!locate(device, work->header.sector, work->data_bytes, &offset))
		return VIRTIO_BLK_S_IOERR;
	/* Sandbox, disk: readahead */
	/* Several threads read parts of the same file in turn, which the host's own read-ahead
	 * takes for random access. */
	if (!only_quick && work->data_bytes >= AHEAD_BYTES)
		(void)readahead(device->fd, (off_t)offset, work->data_bytes);
	error = transfer(device, work, offset, only_quick ? READ_QUICKLY : READ);
	if (error != 0 && only_quick)
		return -1;
	if (error != 0)
		report(device, "read", error);
	return error != 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static int do_write(struct block_device *device, struct block_work *work, bool only_quick)
{
	uint64_t offset;
	int error;

	if (device->read_only || work->request.write_bytes != 0 ||
		!locate(device, work->header.sector, work->data_bytes, &offset))
		return VIRTIO_BLK_S_IOERR;
	if (only_quick && work->data_bytes > QUICK_BYTES)
		return -1;
	error = transfer(device, work, offset, WRITE);
	if (error == 0 && device->log)
		block_log_add(device->log, BLOCK_LOG_WRITE, device->number, offset,
			work->data_bytes, work->data, work->data_count);
	if (error != 0)
		report(device, "write", error);
	return error != 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static int do_flush(struct block_device *device)
{
	uint64_t number = 0;

	if (device->log) {
		number = block_log_flush_number(device->log);
		block_log_add(
			device->log, BLOCK_LOG_FLUSH_TAKEN, device->number, number, 0, NULL, 0);
	}
	if (!device->read_only && fdatasync(device->fd) != 0) {
		report(device, "flush", errno);
		return VIRTIO_BLK_S_IOERR;
	}
	if (device->log)
		block_log_add(
			device->log, BLOCK_LOG_FLUSH_DONE, device->number, number, 0, NULL, 0);
	return VIRTIO_BLK_S_OK;
}

static int discard(const struct block_device *device, uint64_t offset, uint64_t bytes)
{
	uint64_t range[2] = {offset, bytes};

	if (device->is_device)
		return ioctl(device->fd, BLKDISCARD, range);
	return fallocate(device->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		(off_t)bytes);
}

static int zero(const struct block_device *device, uint64_t offset, uint64_t bytes, bool may_unmap)
{
	uint64_t range[2] = {offset, bytes};

	if (device->is_device)
		return ioctl(device->fd, BLKZEROOUT, range);
	if (may_unmap && fallocate(device->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)offset, (off_t)bytes) == 0)
		return 0;
	return fallocate(device->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		(off_t)bytes);
}

static int do_range(struct block_device *device, struct block_work *work, bool zeroes)
{
	struct virtio_blk_range range;
	uint64_t offset, bytes;
	unsigned next;
	int result;

	if (device->read_only || work->request.write_bytes != 0 ||
		work->request.read_bytes != sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	memcpy(work->request.parts, work->data, work->data_count * sizeof(work->data[0]));
	work->request.read_count = work->data_count;
	if (!copy_front(&work->request, &range, sizeof(range), &next))
		return VIRTIO_BLK_S_IOERR;
	bytes = (uint64_t)range.sector_count * SECTOR;
	if (range.flags & ~(zeroes ? VIRTIO_BLK_ZEROES_UNMAP : 0u))
		return VIRTIO_BLK_S_UNSUPP;
	if (range.sector_count > RANGE_MOST || !locate(device, range.sector, bytes, &offset))
		return VIRTIO_BLK_S_IOERR;
	if (bytes == 0)
		return VIRTIO_BLK_S_OK;
	result = zeroes ? zero(device, offset, bytes, range.flags & VIRTIO_BLK_ZEROES_UNMAP)
			: discard(device, offset, bytes);
	if (result != 0 && (errno == EOPNOTSUPP || errno == ENOTTY))
		return VIRTIO_BLK_S_UNSUPP;
	if (result != 0)
		report(device, zeroes ? "zero" : "discard", errno);
	else if (device->log)
		block_log_add(device->log, zeroes ? BLOCK_LOG_ZEROES : BLOCK_LOG_DISCARD,
			device->number, offset, bytes, NULL, 0);
	return result != 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static int do_identify(const struct block_device *device, struct block_work *work)
{
	char id[VIRTIO_BLK_ID_BYTES] = {0};
	size_t at = 0;

	if (work->request.read_bytes != 0)
		return VIRTIO_BLK_S_IOERR;
	memcpy(id, device->name, MIN(strlen(device->name), sizeof(id)));
	for (unsigned i = 0; i < work->data_count && at < sizeof(id); i++) {
		size_t bytes = MIN(work->data[i].iov_len, sizeof(id) - at);

		memcpy(work->data[i].iov_base, id + at, bytes);
		at += bytes;
	}
	return VIRTIO_BLK_S_OK;
}

bool block_execute(struct block_device *device, struct block_work *work, bool only_quick)
{
	int status = -1;

	switch (work->header.type) {
	case VIRTIO_BLK_T_IN:
		status = do_read(device, work, only_quick);
		break;
	case VIRTIO_BLK_T_OUT:
		status = do_write(device, work, only_quick);
		break;
	case VIRTIO_BLK_T_FLUSH:
		status = only_quick ? -1 : do_flush(device);
		break;
	case VIRTIO_BLK_T_GET_ID:
		status = do_identify(device, work);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (!only_quick)
			status = do_range(
				device, work, work->header.type == VIRTIO_BLK_T_WRITE_ZEROES);
		break;
	default:
		status = VIRTIO_BLK_S_UNSUPP;
		break;
	}
	if (status < 0)
		return false;
	*work->status = (uint8_t)status;
	return true;
}

bool block_give(struct block_device *device, struct block_work *work)
{
	bool is_read =
		work->header.type == VIRTIO_BLK_T_IN || work->header.type == VIRTIO_BLK_T_GET_ID;

	(void)device;
	ring_give(work->ring, work->request.id, 1 + (is_read ? (uint32_t)work->data_bytes : 0));
	return ring_publish(work->ring);
}

const char *block_broken(const struct block_device *device)
{
	for (unsigned i = 0; i < device->ring_count; i++) {
		if (device->rings[i].broken)
			return device->rings[i].broken;
	}
	return NULL;
}
