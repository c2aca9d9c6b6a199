/*
 * Messages of AF_UNIX sockets, and the descriptors and credentials that travel with them.
 * See unix_socket.h.
 */
#include "kernel/credentials.h"
#include "kernel/mm/heap.h"
#include "kernel/net/unix_socket.h"
#include "kernel/sched/thread.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define OVERFLOW_ID 65534u /* nobody: of messages that carry no credentials */

/* ---- what is sent ---------------------------------------------------------------------- */

struct linux_ucred unix_own_credentials(void)
{
	struct credentials own = credentials_get();

	return (struct linux_ucred){.pid = PROCESS_ID, .uid = own.uid, .gid = own.gid};
}

static void release_files(struct file **files, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		file_release(files[i]);
	heap_free(files);
}

static void note_all(const struct unix_baggage *baggage, int32_t change)
{
	for (uint32_t i = 0; i < baggage->file_count; i++)
		unix_collect_note(baggage->files[i], change);
}

void unix_baggage_drop(struct unix_baggage *baggage)
{
	note_all(baggage, -1);
	release_files(baggage->files, baggage->file_count);
	baggage->files = NULL;
	baggage->file_count = 0;
}

static int read_rights(struct unix_baggage *baggage, const uint8_t *data, size_t bytes)
{
	uint32_t count = (uint32_t)(bytes / sizeof(int32_t));

	if (count == 0)
		return 0;
	if (count + baggage->file_count > LINUX_SCM_MAX_FD)
		return -LINUX_EINVAL;
	if (baggage->files == NULL)
		baggage->files = heap_alloc(LINUX_SCM_MAX_FD * sizeof(baggage->files[0]));
	if (baggage->files == NULL)
		return -LINUX_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct file *file;
		int32_t fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		file = fd_get(fd);
		if (file == NULL)
			return -LINUX_EBADF;
		baggage->files[baggage->file_count++] = file;
		unix_collect_note(file, 1);
	}
	return 0;
}

/* Only who may become somebody else may say that it is somebody else. */
static int read_credentials(struct unix_baggage *baggage, const uint8_t *data, size_t bytes)
{
	struct credentials own = credentials_get();
	struct linux_ucred claim;

	if (bytes != sizeof(claim))
		return -LINUX_EINVAL;
	memcpy(&claim, data, sizeof(claim));
	if (claim.pid != PROCESS_ID)
		return -LINUX_EPERM;
	if (claim.uid != own.uid && claim.uid != own.euid && claim.uid != own.suid &&
		!credentials_has(CAPABILITY_SETUID))
		return -LINUX_EPERM;
	if (claim.gid != own.gid && claim.gid != own.egid && claim.gid != own.sgid &&
		!credentials_has(CAPABILITY_SETGID))
		return -LINUX_EPERM;
	baggage->credentials = claim;
	baggage->has_credentials = true;
	return 0;
}

static int read_control(
	struct unix_baggage *baggage, const struct linux_cmsghdr *header, const uint8_t *data)
{
	size_t bytes = header->bytes - sizeof(*header);

	if (header->level != LINUX_SOL_SOCKET)
		return 0;
	switch (header->type) {
	case LINUX_SCM_RIGHTS:
		return read_rights(baggage, data, bytes);
	case LINUX_SCM_CREDENTIALS:
		return read_credentials(baggage, data, bytes);
	default:
		return -LINUX_EINVAL;
	}
}

int unix_baggage_read(struct unix_baggage *baggage, const struct socket_message *message)
{
	struct linux_cmsghdr header;
	uint64_t offset = 0;
	int error = 0;

	*baggage = (struct unix_baggage){0};
	while (error == 0 && offset + sizeof(header) <= message->control_bytes) {
		memcpy(&header, message->control + offset, sizeof(header));
		if (header.bytes < sizeof(header) || header.bytes > message->control_bytes - offset)
			error = -LINUX_EINVAL;
		else
			error = read_control(
				baggage, &header, message->control + offset + sizeof(header));
		offset += LINUX_CMSG_ALIGN(header.bytes);
	}
	if (error != 0)
		unix_baggage_drop(baggage);
	return error;
}

/* ---- messages ---------------------------------------------------------------------------- */

struct unix_message *unix_message_create(struct unix_socket *sender, uint32_t bytes)
{
	struct unix_message *message = heap_alloc(sizeof(*message) + bytes);

	if (message == NULL)
		return NULL;
	*message = (struct unix_message){.references = 1, .bytes = bytes, .sender = sender};
	list_init(&message->link);
	unix_acquire(sender);
	return message;
}

void unix_message_acquire_locked(struct unix_message *message)
{
	message->references++;
}

/*
 * Closing a file that was on its way can close a socket with messages of its own, and so on
 * as deep as the program likes: one closer works through a list instead. `lock` is a leaf.
 */
static struct {
	struct spinlock lock;
	struct list messages;
	bool is_running;
} closing = {SPINLOCK_INIT, LIST_INIT(closing.messages), false};

static void destroy(struct unix_message *message)
{
	unix_baggage_drop(&message->baggage);
	unix_address_release(message->from);
	unix_release(message->sender);
	heap_free(message);
}

static struct unix_message *next_to_close(void)
{
	struct list *link;

	spin_lock(&closing.lock);
	link = list_first(&closing.messages);
	if (link != NULL)
		list_remove(link);
	else
		closing.is_running = false;
	spin_unlock(&closing.lock);
	return link != NULL ? LIST_ENTRY(link, struct unix_message, link) : NULL;
}

static void destroy_with_files(struct unix_message *message)
{
	bool is_running;

	spin_lock(&closing.lock);
	list_add_last(&closing.messages, &message->link);
	is_running = closing.is_running;
	closing.is_running = true;
	spin_unlock(&closing.lock);
	if (is_running)
		return;
	while ((message = next_to_close()) != NULL)
		destroy(message);
}

void unix_message_release(struct unix_message *message)
{
	bool is_last;

	spin_lock(&unix_lock);
	is_last = --message->references == 0;
	spin_unlock(&unix_lock);
	if (!is_last)
		return;
	if (message->baggage.file_count != 0)
		destroy_with_files(message);
	else
		destroy(message);
}

void unix_message_release_list(struct list *messages)
{
	struct list *link;

	while ((link = list_first(messages)) != NULL) {
		list_remove(link);
		unix_message_release(LIST_ENTRY(link, struct unix_message, link));
	}
}

/* ---- what is received ----------------------------------------------------------------------- */

static void give_credentials(const struct unix_message *message, struct socket_message *received)
{
	struct linux_ucred credentials = {.pid = 0, .uid = OVERFLOW_ID, .gid = OVERFLOW_ID};

	if (message->baggage.has_credentials)
		credentials = message->baggage.credentials;
	socket_add_control(received, LINUX_SOL_SOCKET, LINUX_SCM_CREDENTIALS, &credentials,
		sizeof(credentials));
}

static uint32_t room_for_files(const struct socket_message *received)
{
	uint32_t room = received->control_capacity - received->control_bytes;

	if (received->control == NULL || room < sizeof(struct linux_cmsghdr) + sizeof(int32_t))
		return 0;
	return (room - (uint32_t)sizeof(struct linux_cmsghdr)) / (uint32_t)sizeof(int32_t);
}

/* Gives the files descriptors as long as there is room; takes over their references. */
static void give_files(struct file **files, uint32_t count, struct socket_message *received)
{
	bool close_on_exec = (received->flags & LINUX_MSG_CMSG_CLOEXEC) != 0;
	uint32_t room = room_for_files(received), given = 0;
	int32_t *fds = heap_alloc(LINUX_SCM_MAX_FD * sizeof(*fds));

	while (fds != NULL && given < MIN(count, room)) {
		fds[given] = fd_install(files[given], 0, close_on_exec);
		if (fds[given] < 0)
			break;
		given++;
	}
	if (given != 0)
		socket_add_control(received, LINUX_SOL_SOCKET, LINUX_SCM_RIGHTS, fds,
			given * (uint32_t)sizeof(*fds));
	if (given < count)
		received->result_flags |= LINUX_MSG_CTRUNC;
	for (uint32_t i = given; i < count; i++)
		file_release(files[i]);
	heap_free(fds);
}

/* The files of a message that is only peeked at, each with a reference of its own. */
static struct file **copy_files(const struct unix_baggage *baggage)
{
	struct file **files = heap_alloc(baggage->file_count * sizeof(files[0]));

	for (uint32_t i = 0; files != NULL && i < baggage->file_count; i++) {
		files[i] = baggage->files[i];
		file_acquire(files[i]);
	}
	return files;
}

void unix_message_unpack(struct unix_message *message, struct socket *socket,
	struct socket_message *received, bool peek)
{
	struct unix_baggage *baggage = &message->baggage;
	struct file **files = NULL;
	uint32_t count;

	if (socket->pass_credentials && received->control_bytes == 0)
		give_credentials(message, received);
	spin_lock(&unix_lock); /* who peeks may meet who takes */
	count = baggage->file_count;
	if (count != 0 && peek) {
		files = copy_files(baggage);
	} else if (count != 0) {
		note_all(baggage, -1);
		files = baggage->files;
		baggage->files = NULL;
		baggage->file_count = 0;
	}
	spin_unlock(&unix_lock);
	if (count == 0)
		return;
	if (files == NULL) {
		received->result_flags |= LINUX_MSG_CTRUNC;
		return;
	}
	give_files(files, count, received);
	heap_free(files);
	received->is_complete = true;
}
