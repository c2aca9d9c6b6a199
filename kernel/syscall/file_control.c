/*
 * fcntl(2), ioctl(2), flock(2).
 */
#include "kernel/fs/file_lock.h"
#include "kernel/fs/inotify.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/pipe.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/rlimit.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"

#define CHANGEABLE                                                                                 \
	(LINUX_O_APPEND | LINUX_O_NONBLOCK | LINUX_O_DIRECT | LINUX_O_ASYNC | LINUX_O_NOATIME)

static long set_flags(struct file *file, uint32_t flags)
{
	uint32_t old = READ_ONCE(file->flags), wanted;

	do {
		wanted = (old & ~(uint32_t)CHANGEABLE) | (flags & CHANGEABLE);
	} while (!__atomic_compare_exchange_n(
		&file->flags, &old, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return file->ops->flags_changed ? file->ops->flags_changed(file, wanted) : 0;
}

static long duplicate(struct file *file, uint64_t least, bool close_on_exec)
{
	int fd;

	if ((int)least < 0 || (uint32_t)least >= rlimit_nofile())
		return -LINUX_EINVAL;
	file_acquire(file);
	fd = fd_install(file, (int)least, close_on_exec);
	if (fd < 0)
		file_release(file);
	return fd;
}

/* ---- record locks ------------------------------------------------------------ */

/* From offsets relative to something to the first and last byte. */
static int range_of(
	struct file *file, const struct linux_flock *flock, struct file_lock_range *range)
{
	int64_t start = flock->start, end;

	if (flock->whence == LINUX_SEEK_CUR) {
		if (__builtin_add_overflow(start, (int64_t)file->offset, &start))
			return -LINUX_EOVERFLOW;
	} else if (flock->whence == LINUX_SEEK_END) {
		if (__builtin_add_overflow(
			    start, file->vnode ? (int64_t)file->vnode->size : 0, &start))
			return -LINUX_EOVERFLOW;
	} else if (flock->whence != LINUX_SEEK_SET) {
		return -LINUX_EINVAL;
	}
	if (start < 0)
		return -LINUX_EINVAL;
	if (flock->length > 0) {
		if (__builtin_add_overflow(start, flock->length - 1, &end))
			return -LINUX_EOVERFLOW;
	} else if (flock->length < 0) {
		end = start - 1;
		start += flock->length;
		if (start < 0)
			return -LINUX_EINVAL;
	} else {
		end = INT64_MAX;
	}
	range->start = (uint64_t)start;
	range->end = (uint64_t)end;
	range->type = flock->type;
	return flock->type == LINUX_F_RDLCK || flock->type == LINUX_F_WRLCK ||
			       flock->type == LINUX_F_UNLCK
		       ? 0
		       : -LINUX_EINVAL;
}

static long test_lock(
	struct file *file, struct linux_flock *flock, enum file_lock_kind kind, uint64_t address)
{
	struct file_lock_range range;
	int pid = 0, error = range_of(file, flock, &range);

	if (!error && flock->type == LINUX_F_UNLCK)
		error = -LINUX_EINVAL;
	if (!error)
		error = file_lock_test(file, kind, &range, &pid);
	if (error)
		return error;
	flock->type = (int16_t)range.type;
	if (range.type != LINUX_F_UNLCK) {
		flock->whence = LINUX_SEEK_SET;
		flock->start = (int64_t)range.start;
		flock->length = range.end == INT64_MAX ? 0 : (int64_t)(range.end - range.start + 1);
		flock->pid = pid;
	}
	return user_copy_out(address, flock, sizeof(*flock)) != 0 ? -LINUX_EFAULT : 0;
}

static long set_lock(
	struct file *file, const struct linux_flock *flock, enum file_lock_kind kind, bool wait)
{
	struct file_lock_range range;
	int error = range_of(file, flock, &range);

	if (error)
		return error;
	if ((range.type == LINUX_F_RDLCK && !file_is_readable(file)) ||
		(range.type == LINUX_F_WRLCK && !file_is_writable(file)))
		return -LINUX_EBADF;
	return file_lock_set(file, kind, &range, wait);
}

static long control_lock(struct file *file, int command, uint64_t address)
{
	bool of_description = command >= LINUX_F_OFD_GETLK;
	enum file_lock_kind kind = of_description ? FILE_LOCK_DESCRIPTION : FILE_LOCK_PROCESS;
	struct linux_flock flock;

	if (user_copy_in(&flock, address, sizeof(flock)) != 0)
		return -LINUX_EFAULT;
	if (of_description && flock.pid != 0)
		return -LINUX_EINVAL;
	if (command == LINUX_F_GETLK || command == LINUX_F_OFD_GETLK)
		return test_lock(file, &flock, kind, address);
	return set_lock(
		file, &flock, kind, command == LINUX_F_SETLKW || command == LINUX_F_OFD_SETLKW);
}

long sys_flock(uint64_t fd, uint64_t operation)
{
	struct file_lock_range range = {.start = 0, .end = INT64_MAX};
	struct file *file;
	long result;

	switch (operation & ~(uint64_t)LINUX_LOCK_NB) {
	case LINUX_LOCK_SH:
		range.type = LINUX_F_RDLCK;
		break;
	case LINUX_LOCK_EX:
		range.type = LINUX_F_WRLCK;
		break;
	case LINUX_LOCK_UN:
		range.type = LINUX_F_UNLCK;
		break;
	default:
		return -LINUX_EINVAL;
	}
	file = user_file(fd);
	if (!file)
		return -LINUX_EBADF;
	result = file_lock_set(file, FILE_LOCK_FLOCK, &range, !(operation & LINUX_LOCK_NB));
	file_release(file);
	return result;
}

/* ---- fcntl --------------------------------------------------------------------- */

/* No signals are sent for files: there is no owner to set, only none to ask for. */
static long control_owner(int command, uint64_t argument)
{
	if (command == LINUX_F_GETOWN || command == LINUX_F_GETSIG)
		return 0;
	return argument == 0 ? 0 : -LINUX_EINVAL;
}

static long control(struct file *file, int fd, int command, uint64_t argument)
{
	switch (command) {
	case LINUX_F_SETFL:
		return set_flags(file, (uint32_t)argument);
	case LINUX_F_GETLK:
	case LINUX_F_SETLK:
	case LINUX_F_SETLKW:
	case LINUX_F_OFD_GETLK:
	case LINUX_F_OFD_SETLK:
	case LINUX_F_OFD_SETLKW:
		return control_lock(file, command, argument);
	case LINUX_F_GETOWN:
	case LINUX_F_SETOWN:
	case LINUX_F_GETSIG:
	case LINUX_F_SETSIG:
		return control_owner(command, argument);
	case LINUX_F_GETPIPE_SZ:
		return pipe_capacity(file);
	case LINUX_F_SETPIPE_SZ:
		return pipe_set_capacity(file, (uint32_t)argument);
	case LINUX_F_ADD_SEALS:
		return memory_file_add_seals(file, (uint32_t)argument);
	case LINUX_F_GET_SEALS:
		return memory_file_get_seals(file);
	case LINUX_F_GETLEASE:
		return LINUX_F_UNLCK;
	default:
		(void)fd;
		return -LINUX_EINVAL;
	}
}

long sys_fcntl(uint64_t fd, uint64_t command, uint64_t argument)
{
	struct file *file = fd_get((int)fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	switch ((int)command) {
	case LINUX_F_DUPFD:
	case LINUX_F_DUPFD_CLOEXEC:
		result = duplicate(file, argument, (int)command == LINUX_F_DUPFD_CLOEXEC);
		break;
	case LINUX_F_GETFD:
		result = fd_get_flags((int)fd);
		break;
	case LINUX_F_SETFD:
		result = fd_set_flags((int)fd, (int)argument);
		break;
	case LINUX_F_GETFL:
		result = READ_ONCE(file->flags);
		break;
	default:
		result = file->flags & LINUX_O_PATH
				 ? -LINUX_EBADF
				 : control(file, (int)fd, (int)command, argument);
	}
	file_release(file);
	return result;
}

/* ---- ioctl ------------------------------------------------------------------------ */

enum request {
	REQUEST_FIGETBSZ = 2,
	REQUEST_FIONREAD = 0x541b,
	REQUEST_FIONBIO = 0x5421,
	REQUEST_FIONCLEX = 0x5450,
	REQUEST_FIOCLEX = 0x5451,
	REQUEST_FIOASYNC = 0x5452,
};

static long switch_flag(struct file *file, uint32_t flag, uint64_t address)
{
	int on;

	if (user_copy_in(&on, address, sizeof(on)) != 0)
		return -LINUX_EFAULT;
	return set_flags(file, on ? file->flags | flag : file->flags & ~flag);
}

static long store_int(uint64_t address, int64_t value)
{
	int number = (int)value;

	return user_copy_out(address, &number, sizeof(number)) != 0 ? -LINUX_EFAULT : 0;
}

static bool is_regular(const struct file *file)
{
	return file->vnode && LINUX_S_ISTYPE(file->vnode->mode, LINUX_S_IFREG);
}

static long file_request(struct file *file, uint32_t request, uint64_t argument)
{
	if (request == REQUEST_FIONREAD && is_regular(file))
		return store_int(argument, (int64_t)file->vnode->size - (int64_t)file->offset);
	if (request == REQUEST_FIONREAD && inotify_is_inotify(file))
		return store_int(argument, inotify_queued_bytes(file));
	if (request == REQUEST_FIGETBSZ && file->vnode)
		return store_int(argument, PAGE_BYTES);
	return file->ops->ioctl ? file->ops->ioctl(file, request, argument) : -LINUX_ENOTTY;
}

long sys_ioctl(uint64_t fd, uint64_t request, uint64_t argument)
{
	struct file *file = user_file(fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	switch ((uint32_t)request) {
	case REQUEST_FIOCLEX:
		result = fd_set_flags((int)fd, LINUX_FD_CLOEXEC);
		break;
	case REQUEST_FIONCLEX:
		result = fd_set_flags((int)fd, 0);
		break;
	case REQUEST_FIONBIO:
		result = switch_flag(file, LINUX_O_NONBLOCK, argument);
		break;
	case REQUEST_FIOASYNC:
		result = switch_flag(file, LINUX_O_ASYNC, argument);
		break;
	default:
		result = file_request(file, (uint32_t)request, argument);
	}
	file_release(file);
	return result;
}
