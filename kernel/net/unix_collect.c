/*
 * Sockets that only messages hold: a socket sent over itself, two sent over each other. Nobody
 * can receive them any more, and their references keep one another. See unix_collect().
 *
 * A socket is in use when something beside messages on their way holds its file, or when it
 * can be received from a socket that is in use, or is a connection that such a listener has
 * not accepted yet. What is left is garbage: its messages are released, and with them the files.
 * All is looked at under unix_lock, where no message moves; a file of a garbage socket is in no
 * table, so that nobody can get hold of it meanwhile.
 */
#include "kernel/net/unix_socket.h"

static uint32_t travelling; /* files of AF_UNIX sockets in messages; atomic */
static struct list sockets = LIST_INIT(sockets);

void unix_collect_add_locked(struct unix_socket *socket)
{
	list_add_last(&sockets, &socket->all_link);
}

void unix_collect_remove_locked(struct unix_socket *socket)
{
	list_remove(&socket->all_link);
}

struct unix_socket *unix_collect_next_locked(const struct unix_socket *socket)
{
	struct list *link = socket != NULL ? socket->all_link.next : sockets.next;

	return link == &sockets ? NULL : LIST_ENTRY(link, struct unix_socket, all_link);
}

static struct unix_socket *unix_of_file(const struct file *file)
{
	const struct socket *socket = socket_of_file(file);

	return socket != NULL && socket->family == LINUX_AF_UNIX ? unix_of(socket) : NULL;
}

void unix_collect_note(const struct file *file, int32_t change)
{
	if (unix_of_file(file) != NULL)
		__atomic_fetch_add(&travelling, (uint32_t)change, __ATOMIC_RELAXED);
}

/* Calls `visit` with each AF_UNIX socket whose file is in a message to `receiver`. */
static void for_each_sent(struct unix_socket *receiver,
	void (*visit)(struct unix_socket *sent, const struct file *file, struct list *work),
	struct list *work)
{
	LIST_FOR_EACH (link, &receiver->queue) {
		const struct unix_message *message = LIST_ENTRY(link, struct unix_message, link);

		for (uint32_t i = 0; i < message->baggage.file_count; i++) {
			struct unix_socket *sent = unix_of_file(message->baggage.files[i]);

			if (sent != NULL)
				visit(sent, message->baggage.files[i], work);
		}
	}
}

static void count_sent(struct unix_socket *sent, const struct file *file, struct list *work)
{
	(void)work;
	sent->collect.sent++;
	sent->collect.file = file;
}

static void use(struct unix_socket *socket, const struct file *file, struct list *work)
{
	(void)file;
	if (socket->collect.is_used)
		return;
	socket->collect.is_used = true;
	list_add_last(work, &socket->collect.work_link);
}

/* Somebody beside messages holds it. Connections that wait at a listener have no file. */
static bool is_held(const struct unix_socket *socket)
{
	if (list_is_linked(&socket->pending_link))
		return false;
	return socket->collect.sent == 0 ||
	       READ_ONCE(socket->collect.file->references) > socket->collect.sent;
}

static void mark_locked(void)
{
	struct list work = LIST_INIT(work), *link;

	LIST_FOR_EACH (each, &sockets) {
		struct unix_socket *socket = LIST_ENTRY(each, struct unix_socket, all_link);

		socket->collect = (struct unix_collect){.is_used = false};
		list_init(&socket->collect.work_link);
	}
	LIST_FOR_EACH (each, &sockets)
		for_each_sent(LIST_ENTRY(each, struct unix_socket, all_link), count_sent, NULL);
	LIST_FOR_EACH (each, &sockets) {
		struct unix_socket *socket = LIST_ENTRY(each, struct unix_socket, all_link);

		if (is_held(socket))
			use(socket, NULL, &work);
	}
	while ((link = list_first(&work)) != NULL) {
		struct unix_socket *socket =
			LIST_ENTRY(link, struct unix_socket, collect.work_link);

		list_remove(link);
		for_each_sent(socket, use, &work);
		LIST_FOR_EACH (each, &socket->pending)
			use(LIST_ENTRY(each, struct unix_socket, pending_link), NULL, &work);
	}
}

void unix_collect(void)
{
	struct list messages = LIST_INIT(messages);

	if (LIKELY(__atomic_load_n(&travelling, __ATOMIC_RELAXED) == 0))
		return;
	spin_lock(&unix_lock);
	mark_locked();
	LIST_FOR_EACH (each, &sockets) {
		struct unix_socket *socket = LIST_ENTRY(each, struct unix_socket, all_link);

		if (!socket->collect.is_used)
			unix_purge_locked(socket, &messages);
	}
	spin_unlock(&unix_lock);
	unix_message_release_list(&messages);
}
