/*
 * Socket system calls that move data: sendto(2), recvfrom(2), sendmsg(2), recvmsg(2) and
 * those for many messages at once.
 */
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/socket.h"
#include "kernel/sched/clock.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/timespec.h"
#include "kernel/syscall/user_socket.h"
#include "kernel/syscall/user_vector.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

#define MOST_MESSAGES       1024u
#define SMALL_CONTROL_BYTES 128u

/* ---- one buffer ------------------------------------------------------------------ */

long sys_sendto(uint64_t fd, uint64_t buffer, uint64_t bytes, uint64_t flags, uint64_t name_address,
	uint64_t name_bytes)
{
	struct socket_name name = {0};
	struct uio_part part;
	struct uio uio;
	struct socket_message message = {.uio = &uio, .flags = (uint32_t)flags, .name = &name};
	struct file *file;
	long result;

	bytes = MIN(bytes, USER_VECTOR_MOST_BYTES);
	if (!user_range_ok(buffer, bytes))
		return -LINUX_EFAULT;
	uio_init_user(&uio, &part, buffer, bytes);
	result = user_socket_get(fd, &file);
	if (result != 0)
		return result;
	if (name_address != 0)
		result = user_name_read(&name, name_address, name_bytes);
	if (result == 0)
		result = socket_send(file, &message);
	file_release(file);
	return result;
}

long sys_recvfrom(uint64_t fd, uint64_t buffer, uint64_t bytes, uint64_t flags,
	uint64_t name_address, uint64_t length_address)
{
	struct socket_name name = {0};
	struct uio_part part;
	struct uio uio;
	struct socket_message message = {
		.uio = &uio, .flags = (uint32_t)flags, .name = name_address != 0 ? &name : NULL};
	struct file *file;
	long result;

	bytes = MIN(bytes, USER_VECTOR_MOST_BYTES);
	if (!user_range_ok(buffer, bytes))
		return -LINUX_EFAULT;
	uio_init_user(&uio, &part, buffer, bytes);
	result = user_socket_get(fd, &file);
	if (result != 0)
		return result;
	result = socket_receive(file, &message);
	file_release(file);
	if (result >= 0 && name_address != 0) {
		int error = user_name_write(&name, name_address, length_address);

		if (error != 0)
			return error;
	}
	return result;
}

/* ---- struct msghdr ----------------------------------------------------------------- */

/* A message of the program's, and what it refers to. */
struct user_message {
	struct linux_msghdr header;
	struct socket_message message;
	struct socket_name name;
	struct user_vector vector;
	struct uio uio;
	uint8_t small_control[SMALL_CONTROL_BYTES] ALIGNED(8);
};

static int check_header(struct linux_msghdr *header)
{
	if (header->name == 0)
		header->name_bytes = 0;
	if (header->name_bytes < 0)
		return -LINUX_EINVAL;
	header->name_bytes = MIN(header->name_bytes, (int32_t)SOCKET_NAME_BYTES);
	if (header->part_count > USER_VECTOR_MOST_PARTS)
		return -LINUX_EMSGSIZE;
	return 0;
}

static int get_message(struct user_message *user, uint64_t address, uint32_t flags)
{
	int error;

	if (user_copy_in(&user->header, address, sizeof(user->header)) != 0)
		return -LINUX_EFAULT;
	error = check_header(&user->header);
	if (error != 0)
		return error;
	error = user_vector_get(&user->vector, user->header.parts, user->header.part_count);
	if (error != 0)
		return error;
	uio_init_parts(&user->uio, user->vector.parts, user->header.part_count);
	user->name.bytes = 0;
	user->message = (struct socket_message){.uio = &user->uio, .flags = flags};
	return 0;
}

static void put_message(struct user_message *user)
{
	if (user->message.control != user->small_control)
		heap_free(user->message.control);
	user_vector_put(&user->vector);
}

static int allocate_control(struct user_message *user, uint32_t bytes)
{
	user->message.control =
		bytes <= SMALL_CONTROL_BYTES ? user->small_control : heap_alloc(bytes);
	return user->message.control != NULL ? 0 : -LINUX_ENOMEM;
}

/* ---- sending ------------------------------------------------------------------------ */

static int get_control(struct user_message *user)
{
	uint64_t bytes = user->header.control_bytes;

	if (bytes == 0 || user->header.control == 0)
		return bytes > INT32_MAX ? -LINUX_ENOBUFS : 0;
	if (bytes > SOCKET_CONTROL_BYTES)
		return -LINUX_ENOBUFS;
	if (allocate_control(user, (uint32_t)bytes) != 0)
		return -LINUX_ENOBUFS;
	user->message.control_bytes = (uint32_t)bytes;
	return user_copy_in(user->message.control, user->header.control, bytes);
}

static long send_message(struct file *file, uint64_t address, uint32_t flags)
{
	struct user_message user;
	long result = get_message(&user, address, flags);

	if (result != 0)
		return result;
	if (user.header.name_bytes != 0)
		result = user_name_read(
			&user.name, user.header.name, (uint32_t)user.header.name_bytes);
	if (result == 0)
		result = get_control(&user);
	user.message.name = &user.name;
	if (result == 0)
		result = socket_send(file, &user.message);
	put_message(&user);
	return result;
}

long sys_sendmsg(uint64_t fd, uint64_t address, uint64_t flags)
{
	struct file *file;
	long result = user_socket_get(fd, &file);

	if (result != 0)
		return result;
	result = send_message(file, address, (uint32_t)flags);
	file_release(file);
	return result;
}

static uint64_t message_at(uint64_t vector, uint32_t index)
{
	return vector + index * sizeof(struct linux_mmsghdr);
}

static int store_count(uint64_t message, long bytes)
{
	uint32_t count = (uint32_t)bytes;

	return user_copy_out(
		message + offsetof(struct linux_mmsghdr, bytes), &count, sizeof(count));
}

long sys_sendmmsg(uint64_t fd, uint64_t vector, uint64_t word, uint64_t flags)
{
	uint32_t count = MIN((uint32_t)word, MOST_MESSAGES), done = 0;
	struct file *file;
	long result = user_socket_get(fd, &file);

	if (result != 0)
		return result;
	while (done < count) {
		result = send_message(file, message_at(vector, done), (uint32_t)flags);
		if (result >= 0)
			result = store_count(message_at(vector, done), result);
		if (result < 0)
			break;
		done++;
	}
	file_release(file);
	return done != 0 ? (long)done : result;
}

/* ---- receiving ------------------------------------------------------------------------ */

/* A control message that cannot be stored is lost, as in Linux. */
static void put_control(struct user_message *user)
{
	if (user->message.control_bytes != 0 &&
		user_copy_out(user->header.control, user->message.control,
			user->message.control_bytes) != 0)
		user->message.control_bytes = 0;
}

static int put_header(struct user_message *user, uint64_t address)
{
	struct linux_msghdr *header = &user->header;
	uint32_t flags = user->message.result_flags |
			 (user->message.flags & (uint32_t)LINUX_MSG_CMSG_CLOEXEC);
	uint64_t control_bytes;

	put_control(user);
	control_bytes = user->message.control_bytes;
	if (header->name != 0) {
		int error = user_name_write(&user->name, header->name,
			address + offsetof(struct linux_msghdr, name_bytes));

		if (error != 0)
			return error;
	}
	if (user_copy_out(address + offsetof(struct linux_msghdr, flags), &flags, sizeof(flags)) !=
			0 ||
		user_copy_out(address + offsetof(struct linux_msghdr, control_bytes),
			&control_bytes, sizeof(control_bytes)) != 0)
		return -LINUX_EFAULT;
	return 0;
}

static long receive_message(struct file *file, uint64_t address, uint32_t flags)
{
	struct user_message user;
	uint32_t control_capacity;
	long result = get_message(&user, address, flags);

	if (result != 0)
		return result;
	control_capacity = user.header.control != 0
				   ? (uint32_t)MIN(user.header.control_bytes, SOCKET_CONTROL_BYTES)
				   : 0;
	if (control_capacity != 0)
		result = allocate_control(&user, control_capacity);
	user.message.control_capacity = control_capacity;
	user.message.name = user.header.name != 0 ? &user.name : NULL;
	if (result == 0)
		result = socket_receive(file, &user.message);
	if (result >= 0) {
		int error = put_header(&user, address);

		if (error != 0)
			result = error;
	}
	put_message(&user);
	return result;
}

long sys_recvmsg(uint64_t fd, uint64_t address, uint64_t flags)
{
	struct file *file;
	long result = user_socket_get(fd, &file);

	if (result != 0)
		return result;
	result = receive_message(file, address, (uint32_t)flags);
	file_release(file);
	return result;
}

/* Until `count` messages came, an error, or (looked at between messages) the deadline. */
static long receive_many(
	struct file *file, uint64_t vector, uint32_t count, uint32_t flags, uint64_t deadline_ns)
{
	uint32_t now = flags & ~(uint32_t)LINUX_MSG_WAITFORONE, done = 0;
	long result = 0;

	while (done < count) {
		result = receive_message(file, message_at(vector, done), now);
		if (result >= 0)
			result = store_count(message_at(vector, done), result);
		if (result < 0)
			break;
		done++;
		if ((flags & LINUX_MSG_WAITFORONE) != 0)
			now |= LINUX_MSG_DONTWAIT;
		if (deadline_ns != WAIT_FOREVER && clock_monotonic_ns() >= deadline_ns)
			break;
	}
	if (done != 0 && result < 0 && result != -LINUX_EAGAIN && result != -LINUX_ERESTARTSYS)
		socket_of_file(file)->error = (int)-result; /* the next call tells */
	return done != 0 ? (long)done : result;
}

long sys_recvmmsg(
	uint64_t fd, uint64_t vector, uint64_t word, uint64_t flags, uint64_t timeout_address)
{
	uint64_t timeout_ns = 0, deadline_ns = WAIT_FOREVER;
	struct file *file;
	long result;

	if (timeout_address != 0) {
		int error = timespec_read(timeout_address, &timeout_ns);

		if (error != 0)
			return error;
		deadline_ns = deadline_after(timeout_ns);
	}
	result = user_socket_get(fd, &file);
	if (result != 0)
		return result;
	result = receive_many(
		file, vector, MIN((uint32_t)word, MOST_MESSAGES), (uint32_t)flags, deadline_ns);
	file_release(file);
	if (result > 0 && timeout_address != 0) {
		uint64_t now = clock_monotonic_ns();
		int error =
			timespec_write(timeout_address, deadline_ns > now ? deadline_ns - now : 0);

		if (error != 0)
			return error;
	}
	return result;
}
