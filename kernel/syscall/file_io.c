/*
 * System calls that move the contents of files: read(2), write(2) and their kin.
 */
#include "kernel/fs/inotify.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"
#include "kernel/syscall/user_vector.h"
#include "lib/string.h"

#define MOST_BYTES USER_VECTOR_MOST_BYTES

enum direction {
	READING,
	WRITING,
};

/* Linux asks whether there are positions before it asks for the direction. */
static int check_file(const struct file *file, enum direction direction, bool has_offset)
{
	if (file->flags & LINUX_O_PATH)
		return -LINUX_EBADF;
	if (has_offset && !file->ops->seek)
		return -LINUX_ESPIPE;
	if (direction == READING ? !file_is_readable(file) : !file_is_writable(file))
		return -LINUX_EBADF;
	return 0;
}

static void tell_watchers(struct file *file, enum direction direction, long result)
{
	if (READ_ONCE(inotify_watch_count) && result > 0 && file->entry)
		inotify_report_entry(
			file->entry, direction == READING ? INOTIFY_ACCESS : INOTIFY_MODIFY);
}

static long call_operation(
	struct file *file, enum direction direction, struct uio *uio, uint64_t *offset)
{
	long (*operation)(struct file *, struct uio *, uint64_t *) =
		direction == READING ? file->ops->read : file->ops->write;
	long result = operation ? operation(file, uio, offset) : -LINUX_EINVAL;

	tell_watchers(file, direction, result);
	return result;
}

/* At the file's own position, if it has one. */
static long move_at_position(struct file *file, enum direction direction, struct uio *uio)
{
	uint64_t none = 0;
	long result;

	if (!file->ops->seek)
		return call_operation(file, direction, uio, &none);
	mutex_lock(&file->position_lock);
	result = call_operation(file, direction, uio, &file->offset);
	mutex_unlock(&file->position_lock);
	return result;
}

static long move_at(struct file *file, enum direction direction, struct uio *uio, int64_t offset)
{
	uint64_t position = (uint64_t)offset;

	return call_operation(file, direction, uio, &position);
}

/* One range of the program. */
static int prepare(struct uio *uio, struct uio_part *part, uint64_t address, uint64_t bytes)
{
	if (!user_range_ok(address, bytes))
		return -LINUX_EFAULT;
	uio_init_user(uio, part, address, MIN(bytes, MOST_BYTES));
	return 0;
}

static long move_one(uint64_t fd, enum direction direction, uint64_t address, uint64_t bytes,
	bool has_offset, int64_t offset)
{
	struct file *file;
	struct uio_part part;
	struct uio uio;
	long result;

	if (has_offset && offset < 0)
		return -LINUX_EINVAL;
	file = fd_get((int)fd);
	if (!file)
		return -LINUX_EBADF;
	result = check_file(file, direction, has_offset);
	if (result == 0)
		result = prepare(&uio, &part, address, bytes);
	if (result == 0)
		result = has_offset ? move_at(file, direction, &uio, offset)
				    : move_at_position(file, direction, &uio);
	file_release(file);
	return result;
}

long sys_read(uint64_t fd, uint64_t address, uint64_t bytes)
{
	return move_one(fd, READING, address, bytes, false, 0);
}

long sys_write(uint64_t fd, uint64_t address, uint64_t bytes)
{
	return move_one(fd, WRITING, address, bytes, false, 0);
}

long sys_pread64(uint64_t fd, uint64_t address, uint64_t bytes, uint64_t offset)
{
	return move_one(fd, READING, address, bytes, true, (int64_t)offset);
}

long sys_pwrite64(uint64_t fd, uint64_t address, uint64_t bytes, uint64_t offset)
{
	return move_one(fd, WRITING, address, bytes, true, (int64_t)offset);
}

/* ---- vectors ---------------------------------------------------------------- */

static long move_vector(uint64_t fd, enum direction direction, uint64_t address, uint64_t count,
	bool has_offset, int64_t offset)
{
	struct file *file = fd_get((int)fd);
	struct user_vector vector;
	struct uio uio;
	long result;

	if (!file)
		return -LINUX_EBADF;
	result = check_file(file, direction, has_offset);
	if (result == 0)
		result = user_vector_get(&vector, address, count);
	if (result == 0) {
		uio_init_parts(&uio, vector.parts, count);
		if (uio.bytes_left > 0)
			result = has_offset ? move_at(file, direction, &uio, offset)
					    : move_at_position(file, direction, &uio);
		user_vector_put(&vector);
	}
	file_release(file);
	return result;
}

long sys_readv(uint64_t fd, uint64_t address, uint64_t count)
{
	return move_vector(fd, READING, address, count, false, 0);
}

long sys_writev(uint64_t fd, uint64_t address, uint64_t count)
{
	return move_vector(fd, WRITING, address, count, false, 0);
}

/* The offset comes whole in the low word on 64-bit machines. */
long sys_preadv(uint64_t fd, uint64_t address, uint64_t count, uint64_t low, uint64_t high)
{
	(void)high;
	if ((int64_t)low < 0)
		return -LINUX_EINVAL;
	return move_vector(fd, READING, address, count, true, (int64_t)low);
}

long sys_pwritev(uint64_t fd, uint64_t address, uint64_t count, uint64_t low, uint64_t high)
{
	(void)high;
	if ((int64_t)low < 0)
		return -LINUX_EINVAL;
	return move_vector(fd, WRITING, address, count, true, (int64_t)low);
}

#define RWF_HIPRI 0x1
#define RWF_DSYNC 0x2
#define RWF_SYNC  0x4

/* What was written is made durable before the call returns. */
static long sync_written(uint64_t fd, long written, uint64_t flags)
{
	struct file *file = fd_get((int)fd);
	long result = written;

	if (!file)
		return written; /* closed meanwhile */
	if (file->vnode && file->vnode->fs->storage && file->ops->sync) {
		int error = file->ops->sync(file, !(flags & RWF_SYNC));

		if (error)
			result = error;
	}
	file_release(file);
	return result;
}

static long move_with_flags(uint64_t fd, enum direction direction, uint64_t address, uint64_t count,
	int64_t offset, uint64_t flags)
{
	long result;

	if (flags & ~(uint64_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -LINUX_EOPNOTSUPP;
	if (offset < -1)
		return -LINUX_EINVAL;
	result =
		move_vector(fd, direction, address, count, offset != -1, offset != -1 ? offset : 0);
	if (direction == WRITING && result > 0 && (flags & (RWF_DSYNC | RWF_SYNC)))
		result = sync_written(fd, result, flags);
	return result;
}

long sys_preadv2(
	uint64_t fd, uint64_t address, uint64_t count, uint64_t low, uint64_t high, uint64_t flags)
{
	(void)high;
	return move_with_flags(fd, READING, address, count, (int64_t)low, flags);
}

long sys_pwritev2(
	uint64_t fd, uint64_t address, uint64_t count, uint64_t low, uint64_t high, uint64_t flags)
{
	(void)high;
	return move_with_flags(fd, WRITING, address, count, (int64_t)low, flags);
}

/* ---- positions ----------------------------------------------------------------- */

long sys_lseek(uint64_t fd, uint64_t offset, uint64_t whence)
{
	struct file *file = user_file(fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	if ((uint32_t)whence > LINUX_SEEK_HOLE) {
		result = -LINUX_EINVAL;
	} else if (!file->ops->seek) {
		result = -LINUX_ESPIPE;
	} else {
		mutex_lock(&file->position_lock);
		result = file->ops->seek(file, (int64_t)offset, (int)whence);
		mutex_unlock(&file->position_lock);
	}
	file_release(file);
	return result;
}

long sys_getdents64(uint64_t fd, uint64_t address, uint64_t bytes)
{
	struct file *file = user_file(fd);
	struct uio_part part;
	struct uio uio;
	long result;

	if (!file)
		return -LINUX_EBADF;
	if (!file->ops->read_directory) {
		result = -LINUX_ENOTDIR;
	} else {
		uio_init_user(&uio, &part, address, (uint32_t)bytes);
		mutex_lock(&file->position_lock);
		result = file->ops->read_directory(file, &uio, &file->offset);
		mutex_unlock(&file->position_lock);
		tell_watchers(file, READING, result);
	}
	file_release(file);
	return result;
}

/* ---- copying between files -------------------------------------------------------- */

#define COPY_BYTES (128ull << 10) /* at a time */

struct copy {
	struct file *from, *to;
	uint64_t from_offset, to_offset;
	uint64_t bytes;
};

static int check_copy(struct copy *copy)
{
	const struct vnode *from = copy->from->vnode, *to = copy->to->vnode;

	if ((from && LINUX_S_ISTYPE(from->mode, LINUX_S_IFDIR)) ||
		(to && LINUX_S_ISTYPE(to->mode, LINUX_S_IFDIR)))
		return -LINUX_EISDIR;
	if (!from || !to || !LINUX_S_ISTYPE(from->mode, LINUX_S_IFREG) ||
		!LINUX_S_ISTYPE(to->mode, LINUX_S_IFREG))
		return -LINUX_EINVAL;
	if (!file_is_readable(copy->from) || !file_is_writable(copy->to) ||
		(copy->to->flags & LINUX_O_APPEND))
		return -LINUX_EBADF;
	if ((int64_t)copy->from_offset < 0 || (int64_t)copy->to_offset < 0)
		return -LINUX_EINVAL;
	if (copy->from_offset + copy->bytes < copy->from_offset ||
		copy->to_offset + copy->bytes < copy->to_offset)
		return -LINUX_EOVERFLOW;
	copy->bytes = copy->from_offset >= from->size
			      ? 0
			      : MIN(copy->bytes, from->size - copy->from_offset);
	if (from == to && copy->from_offset < copy->to_offset + copy->bytes &&
		copy->to_offset < copy->from_offset + copy->bytes)
		return -LINUX_EINVAL;
	return 0;
}

/* Through memory of the kernel. */
static long copy_bytes(struct copy *copy, char *buffer, size_t capacity)
{
	uint64_t total = 0;
	long result = 0;

	while (total < copy->bytes && !thread_is_interrupted(thread_current())) {
		struct uio_part part;
		struct uio uio;

		uio_init_kernel(&uio, &part, buffer, MIN(capacity, copy->bytes - total));
		result = copy->from->ops->read(copy->from, &uio, &copy->from_offset);
		if (result <= 0)
			break;
		uio_init_kernel(&uio, &part, buffer, (size_t)result);
		result = copy->to->ops->write(copy->to, &uio, &copy->to_offset);
		if (result <= 0)
			break;
		total += (uint64_t)result;
	}
	if (total == 0 && result == 0 && copy->bytes > 0 && thread_is_interrupted(thread_current()))
		return -LINUX_ERESTARTSYS;
	return total > 0 ? (long)total : result;
}

static int load_offset(uint64_t address, const struct file *file, uint64_t *offset)
{
	*offset = file->offset;
	return address ? user_copy_in(offset, address, sizeof(*offset)) : 0;
}

static int store_offset(uint64_t address, struct file *file, uint64_t offset)
{
	if (address)
		return user_copy_out(address, &offset, sizeof(offset));
	file->offset = offset;
	return 0;
}

static long copy_files(struct copy *copy, uint64_t from_address, uint64_t to_address)
{
	size_t capacity;
	char *buffer;
	long result;

	if (load_offset(from_address, copy->from, &copy->from_offset) != 0 ||
		load_offset(to_address, copy->to, &copy->to_offset) != 0)
		return -LINUX_EFAULT;
	result = check_copy(copy);
	if (result < 0 || copy->bytes == 0)
		return result;
	capacity = MIN(ALIGN_UP(copy->bytes, PAGE_BYTES), COPY_BYTES);
	buffer = heap_alloc(capacity);
	if (!buffer)
		return -LINUX_ENOMEM;
	result = copy_bytes(copy, buffer, capacity);
	heap_free(buffer);
	if (result > 0 && (store_offset(from_address, copy->from, copy->from_offset) != 0 ||
				  store_offset(to_address, copy->to, copy->to_offset) != 0))
		return -LINUX_EFAULT;
	tell_watchers(copy->to, WRITING, result);
	return result;
}

long sys_copy_file_range(uint64_t fd_in, uint64_t offset_in, uint64_t fd_out, uint64_t offset_out,
	uint64_t bytes, uint64_t flags)
{
	struct copy copy = {
		.from = user_file(fd_in), .to = user_file(fd_out), .bytes = MIN(bytes, MOST_BYTES)};
	long result = -LINUX_EBADF;

	if (copy.from && copy.to)
		result = flags ? -LINUX_EINVAL : copy_files(&copy, offset_in, offset_out);
	if (copy.from)
		file_release(copy.from);
	if (copy.to)
		file_release(copy.to);
	return result;
}
