/*
 * Pipes, and the descriptors that make events: eventfd, timerfd, signalfd. Also the
 * calls that move bytes between descriptors inside the kernel.
 */
#include "kernel/fs/eventfd.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/signalfd.h"
#include "kernel/fs/splice.h"
#include "kernel/fs/timerfd.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/user_path.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"

#define NS_PER_S        1000000000ull
#define FLAGS_OF_FILES  (LINUX_O_CLOEXEC | LINUX_O_NONBLOCK)
#define EVENT_SEMAPHORE 1
#define IOV_MAXIMUM     1024

/* Gives the file a descriptor; without one, the file goes. */
static long install(struct file *file, uint64_t flags)
{
	int fd = fd_install(file, 0, (flags & LINUX_O_CLOEXEC) != 0);

	if (fd < 0)
		file_release(file);
	return fd;
}

/* ---- pipes -------------------------------------------------------------- */

static long install_pair(
	struct file *read_end, struct file *write_end, uint64_t flags, int32_t pair[2])
{
	pair[0] = (int32_t)install(read_end, flags);
	if (pair[0] < 0) {
		file_release(write_end);
		return pair[0];
	}
	pair[1] = (int32_t)install(write_end, flags);
	if (pair[1] < 0)
		fd_close(pair[0]);
	return pair[1] < 0 ? pair[1] : 0;
}

long sys_pipe2(uint64_t a0, uint64_t a1)
{
	struct file *read_end, *write_end;
	uint32_t flags = (uint32_t)a1;
	int32_t pair[2];
	long error;

	if ((flags & ~(uint32_t)(FLAGS_OF_FILES | LINUX_O_DIRECT)) != 0)
		return -LINUX_EINVAL;
	error = pipe_create(flags, &read_end, &write_end);
	if (error != 0)
		return error;
	error = install_pair(read_end, write_end, flags, pair);
	if (error != 0)
		return error;
	if (user_copy_out(a0, pair, sizeof(pair)) != 0) {
		fd_close(pair[0]);
		fd_close(pair[1]);
		return -LINUX_EFAULT;
	}
	return 0;
}

long sys_pipe(uint64_t a0)
{
	return sys_pipe2(a0, 0);
}

/* ---- eventfd, timerfd, signalfd ----------------------------------------- */

long sys_eventfd2(uint64_t a0, uint64_t a1)
{
	uint32_t flags = (uint32_t)a1;
	struct file *file;
	int error;

	if ((flags & ~(uint32_t)(FLAGS_OF_FILES | EVENT_SEMAPHORE)) != 0)
		return -LINUX_EINVAL;
	error = eventfd_create(
		(uint32_t)a0, (flags & EVENT_SEMAPHORE) != 0, flags & LINUX_O_NONBLOCK, &file);
	return error != 0 ? error : install(file, flags);
}

long sys_eventfd(uint64_t a0)
{
	return sys_eventfd2(a0, 0);
}

long sys_timerfd_create(uint64_t a0, uint64_t a1)
{
	uint32_t flags = (uint32_t)a1;
	struct file *file;
	int error;

	if ((flags & ~(uint32_t)FLAGS_OF_FILES) != 0)
		return -LINUX_EINVAL;
	error = timerfd_create((int)a0, flags & LINUX_O_NONBLOCK, &file);
	return error != 0 ? error : install(file, flags);
}

/* struct itimerspec */
struct timer_specification {
	struct linux_timespec interval, value;
};

/* Saturates at the end of time. -EINVAL. */
static int ns_of_timespec(const struct linux_timespec *time, uint64_t *ns)
{
	if (time->seconds < 0 || (uint64_t)time->nanoseconds >= NS_PER_S)
		return -LINUX_EINVAL;
	if ((uint64_t)time->seconds >= INT64_MAX / NS_PER_S)
		*ns = INT64_MAX;
	else
		*ns = (uint64_t)time->seconds * NS_PER_S + (uint64_t)time->nanoseconds;
	return 0;
}

static struct linux_timespec timespec_of_ns(uint64_t ns)
{
	return (struct linux_timespec){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S)};
}

static long store_setting(uintptr_t address, const struct timerfd_setting *setting)
{
	struct timer_specification specification = {
		timespec_of_ns(setting->interval_ns), timespec_of_ns(setting->value_ns)};

	return user_copy_out(address, &specification, sizeof(specification));
}

long sys_timerfd_settime(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct timer_specification specification;
	struct timerfd_setting setting, old;
	struct file *file;
	int error;

	if (user_copy_in(&specification, a2, sizeof(specification)) != 0)
		return -LINUX_EFAULT;
	if (ns_of_timespec(&specification.interval, &setting.interval_ns) != 0 ||
		ns_of_timespec(&specification.value, &setting.value_ns) != 0)
		return -LINUX_EINVAL;
	file = user_file(a0);
	if (file == NULL)
		return -LINUX_EBADF;
	error = timerfd_set(file, (int)a1, &setting, &old);
	file_release(file);
	if (error != 0 || a3 == 0)
		return error;
	return store_setting(a3, &old);
}

long sys_timerfd_gettime(uint64_t a0, uint64_t a1)
{
	struct timerfd_setting setting;
	struct file *file = user_file(a0);
	int error;

	if (file == NULL)
		return -LINUX_EBADF;
	error = timerfd_get(file, &setting);
	file_release(file);
	return error != 0 ? error : store_setting(a1, &setting);
}

static long change_signalfd(int fd, uint64_t set)
{
	struct file *file = user_file((uint64_t)fd);
	long result;

	if (file == NULL)
		return -LINUX_EBADF;
	result = signalfd_set(file, set);
	file_release(file);
	return result != 0 ? result : fd;
}

long sys_signalfd4(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	uint32_t flags = (uint32_t)a3;
	struct file *file;
	uint64_t set;
	int error;

	if (a2 != sizeof(set) || (flags & ~(uint32_t)FLAGS_OF_FILES) != 0)
		return -LINUX_EINVAL;
	if (user_copy_in(&set, a1, sizeof(set)) != 0)
		return -LINUX_EFAULT;
	if ((int)a0 != -1)
		return change_signalfd((int)a0, set);
	error = signalfd_create(set, flags & LINUX_O_NONBLOCK, &file);
	return error != 0 ? error : install(file, flags);
}

long sys_signalfd(uint64_t a0, uint64_t a1, uint64_t a2)
{
	return sys_signalfd4(a0, a1, a2, 0);
}

/* ---- moving bytes -------------------------------------------------------- */

struct file_pair {
	struct file *in, *out;
};

static int open_pair(int in, int out, struct file_pair *pair)
{
	pair->in = user_file((uint64_t)in);
	if (pair->in == NULL)
		return -LINUX_EBADF;
	pair->out = user_file((uint64_t)out);
	if (pair->out == NULL) {
		file_release(pair->in);
		return -LINUX_EBADF;
	}
	return 0;
}

static void close_pair(struct file_pair *pair)
{
	file_release(pair->in);
	file_release(pair->out);
}

static int load_offset(uintptr_t address, uint64_t *offset)
{
	if (address == 0)
		return 0;
	if (user_copy_in(offset, address, sizeof(*offset)) != 0)
		return -LINUX_EFAULT;
	return (int64_t)*offset < 0 ? -LINUX_EINVAL : 0;
}

static long store_offset(uintptr_t address, uint64_t offset, long result)
{
	if (address != 0 && result >= 0 && user_copy_out(address, &offset, sizeof(offset)) != 0)
		return -LINUX_EFAULT;
	return result;
}

long sys_splice(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	uint64_t in_offset = 0, out_offset = 0;
	struct file_pair pair;
	long result;

	if (a4 == 0)
		return 0;
	if ((a5 & ~15ull) != 0)
		return -LINUX_EINVAL;
	result = open_pair((int)a0, (int)a2, &pair);
	if (result != 0)
		return result;
	if ((a1 != 0 && pipe_is_pipe(pair.in)) || (a3 != 0 && pipe_is_pipe(pair.out)))
		result = -LINUX_ESPIPE;
	if (result == 0)
		result = load_offset(a1, &in_offset);
	if (result == 0)
		result = load_offset(a3, &out_offset);
	if (result == 0)
		result = splice_files(pair.in, a1 != 0 ? &in_offset : NULL, pair.out,
			a3 != 0 ? &out_offset : NULL, a4, (uint32_t)a5);
	result = store_offset(a1, in_offset, result);
	result = store_offset(a3, out_offset, result);
	close_pair(&pair);
	return result;
}

long sys_tee(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct file_pair pair;
	long result;

	if ((a3 & ~15ull) != 0)
		return -LINUX_EINVAL;
	if (a2 == 0)
		return 0;
	result = open_pair((int)a0, (int)a1, &pair);
	if (result != 0)
		return result;
	result = splice_tee(pair.in, pair.out, a2, (uint32_t)a3);
	close_pair(&pair);
	return result;
}

/* struct iovec has the layout of struct uio_part. */
static int load_parts(uintptr_t address, uint64_t count, struct uio_part **parts)
{
	*parts = NULL;
	if (count > IOV_MAXIMUM)
		return -LINUX_EINVAL;
	*parts = heap_alloc(MAX(count, 1u) * sizeof(**parts));
	if (*parts == NULL)
		return -LINUX_ENOMEM;
	if (user_copy_in(*parts, address, count * sizeof(**parts)) != 0)
		return -LINUX_EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		if (!user_range_ok((*parts)[i].address, (*parts)[i].bytes))
			return -LINUX_EFAULT;
	}
	return 0;
}

static long move_memory(int fd, struct uio_part *parts, uint64_t count, uint32_t flags)
{
	struct file *file = user_file((uint64_t)fd);
	struct uio uio;
	long result;

	if (file == NULL)
		return -LINUX_EBADF;
	uio_init_parts(&uio, parts, count);
	result = splice_memory(file, &uio, flags);
	file_release(file);
	return result;
}

long sys_vmsplice(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct uio_part *parts;
	long result;

	if ((a3 & ~15ull) != 0)
		return -LINUX_EINVAL;
	result = load_parts(a1, a2, &parts);
	if (result == 0)
		result = move_memory((int)a0, parts, a2, (uint32_t)a3);
	heap_free(parts);
	return result;
}

long sys_sendfile(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	uint64_t offset = 0;
	struct file_pair pair;
	long result = load_offset(a2, &offset);

	if (result == -LINUX_EFAULT)
		return result;
	if (open_pair((int)a1, (int)a0, &pair) != 0)
		return -LINUX_EBADF;
	if (result == 0)
		result = splice_send_file(pair.out, pair.in, a2 != 0 ? &offset : NULL, a3);
	result = store_offset(a2, offset, result);
	close_pair(&pair);
	return result;
}
