/*
 * AF_UNIX, unix(7): the parts that its files share.
 *
 * A struct unix_socket outlives its struct socket for as long as a peer or a message refers
 * to it. One spin lock, unix_lock (rank 27), guards all of them: peers, queues, names. Copies
 * to and from the program happen without it: streams are read by one at a time (the socket's
 * receive_lock), so that the oldest message stays where it is; datagrams are taken whole.
 *
 * Who has to wait for room at somebody else's (a datagram's receiver, a listener's backlog)
 * joins one list, `blocked`; whoever makes such room wakes all of it.
 */
#ifndef KERNEL_NET_UNIX_SOCKET_H
#define KERNEL_NET_UNIX_SOCKET_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/fs/file.h"
#include "kernel/lock.h"
#include "kernel/net/socket.h"
#include "abi/linux/socket.h"

#define UNIX_MESSAGE_OVERHEAD 256u /* what a message counts beyond its bytes */
#define UNIX_DATAGRAMS_MAX    10u  /* net.unix.max_dgram_qlen */
#define UNIX_SEND_BUFFER      212992u

/* ---- names (unix_name.c) ----------------------------------------------------------- */

struct unix_address {
	uint32_t references;
	uint32_t bytes; /* of `name` */
	struct linux_sockaddr_un name;
	struct vnode *vnode; /* of a path, with a reference; NULL: abstract */
};

struct unix_socket;

/* Length and family of what bind, connect or sendto was given. -EINVAL. */
MUST_CHECK int unix_name_check(const struct socket_name *name);
/* -EINVAL (has one), -EADDRINUSE, -ENOMEM, or what making the path's node gave. */
int unix_name_bind(struct unix_socket *socket, const struct socket_name *name);
/* A free abstract name, unless it has a name already. -ENOSPC, -ENOMEM. */
int unix_name_bind_automatically(struct unix_socket *socket);
/* The socket of that name and type, with a reference. -ECONNREFUSED, -EPROTOTYPE, or the
 * path's error. May sleep. */
MUST_CHECK int unix_name_find(
	const struct socket_name *name, uint16_t type, struct unix_socket **found);
void unix_name_forget_locked(struct unix_socket *socket);
void unix_address_acquire(struct unix_address *address);
void unix_address_release(struct unix_address *address); /* NULL is allowed; may sleep */
/* As getsockname shows it; NULL: nameless. */
void unix_address_show(const struct unix_address *address, struct socket_name *name);

/* ---- messages (unix_message.c) -------------------------------------------------------- */

/* What a control message carries beside the bytes. */
struct unix_baggage {
	struct file **files; /* each with a reference; NULL: none */
	uint32_t file_count;
	bool has_credentials;
	struct linux_ucred credentials;
};

struct unix_message {
	struct list link;
	uint32_t references;
	uint32_t bytes;
	uint32_t taken;             /* of a stream: what was read already */
	struct unix_socket *sender; /* with a reference: its buffer pays for the message */
	struct unix_address *from;  /* with a reference; NULL: nameless */
	struct unix_baggage baggage;
	uint8_t data[];
};

/* Reads the control messages of a send. -EINVAL, -EBADF, -EPERM, -ENOMEM: nothing is held. */
MUST_CHECK int unix_baggage_read(
	struct unix_baggage *baggage, const struct socket_message *message);
void unix_baggage_drop(struct unix_baggage *baggage);
/* Credentials of the program, for a message when either side wants them. */
struct linux_ucred unix_own_credentials(void);

/* NULL: no memory. */
MUST_CHECK struct unix_message *unix_message_create(struct unix_socket *sender, uint32_t bytes);
void unix_message_acquire_locked(struct unix_message *message);
/* Without unix_lock. With the last reference, files that nobody received are closed. */
void unix_message_release(struct unix_message *message);
void unix_message_release_list(struct list *messages);
/* Adds to what is received what came with the message: credentials if the socket wants them,
 * then descriptors, new ones. When not `peek`ing the files leave the message. */
void unix_message_unpack(struct unix_message *message, struct socket *socket,
	struct socket_message *received, bool peek);

/* ---- sockets (unix_socket.c) ------------------------------------------------------------ */

enum unix_state {
	UNIX_FREE,
	UNIX_CONNECTED,
	UNIX_LISTENING,
};

/* Scratch of unix_collect.c. */
struct unix_collect {
	struct list work_link;
	const struct file *file; /* of a socket that was sent */
	uint32_t sent;           /* in how many messages */
	bool is_used;
};

struct unix_socket {
	uint32_t references;
	uint16_t type;
	enum unix_state state;
	struct socket *socket; /* NULL: closed */
	struct unix_address *address;
	struct list name_link;
	struct unix_socket *peer; /* with a reference; it may be closed */
	uint32_t shutdown;        /* bits: 1 receive, 2 send */
	struct list queue;        /* received messages */
	uint32_t queued_count;
	uint32_t outstanding; /* sent and not yet received, with overhead */
	struct list pending;  /* of a listener: connections not yet accepted */
	struct list pending_link;
	uint32_t pending_count, backlog;
	struct list blocked_link;
	struct linux_ucred peer_credentials;
	struct linux_ucred listener_credentials;
	struct list all_link; /* open ones */
	struct unix_collect collect;
};

extern struct spinlock unix_lock;

static inline struct unix_socket *unix_of(const struct socket *socket)
{
	return socket->data;
}

static inline bool unix_is_connection_based(const struct unix_socket *socket)
{
	return socket->type != LINUX_SOCK_DGRAM;
}

static inline void unix_acquire(struct unix_socket *socket)
{
	__atomic_fetch_add(&socket->references, 1, __ATOMIC_RELAXED);
}
void unix_release(struct unix_socket *socket); /* without unix_lock */

static inline uint32_t unix_send_buffer(const struct socket *socket)
{
	return socket->send_buffer_bytes ? socket->send_buffer_bytes : UNIX_SEND_BUFFER;
}

/* There is room enough that it is worth telling. */
static inline bool unix_is_writable(const struct unix_socket *socket)
{
	return socket->socket != NULL &&
	       (uint64_t)socket->outstanding * 4 <= unix_send_buffer(socket->socket);
}

/* Wakes who waits at the socket, if it is open. */
void unix_wake_locked(struct unix_socket *socket, uint32_t events);
void unix_block_locked(struct unix_socket *socket);
void unix_wake_blocked_locked(void);
/* The pending error, negated, once; or 0. */
int unix_take_error(struct socket *socket);
/* The message was received: its sender's buffer has that room again. */
void unix_give_back_locked(struct unix_message *message);
/* Puts it at the end of the receiver's queue. */
void unix_deliver_locked(struct unix_socket *receiver, struct unix_message *message);
struct unix_message *unix_oldest_locked(const struct unix_socket *socket); /* or NULL */
void unix_remove_locked(struct unix_socket *receiver, struct unix_message *message);

/* Everything that was received goes to `messages`, which the caller releases. */
void unix_purge_locked(struct unix_socket *socket, struct list *messages);

/* ---- garbage (unix_collect.c) -------------------------------------------------------------- */

void unix_collect_add_locked(struct unix_socket *socket);
void unix_collect_remove_locked(struct unix_socket *socket);
/* The open socket after `socket` (NULL: the first); NULL: no more. */
struct unix_socket *unix_collect_next_locked(const struct unix_socket *socket);
/* A file came into a message (1) or left it (-1). */
void unix_collect_note(const struct file *file, int32_t change);
/* Frees sockets that only messages among themselves hold. After a socket was closed, without
 * unix_lock; cheap while no socket is in a message. */
void unix_collect(void);

/* unix_stream.c, unix_datagram.c */
long unix_stream_send(struct socket *socket, struct socket_message *message);
long unix_stream_receive(struct socket *socket, struct socket_message *message);
long unix_datagram_send(struct socket *socket, struct socket_message *message);
long unix_datagram_receive(struct socket *socket, struct socket_message *message);
/* Sending would have to wait for the connected peer. */
bool unix_peer_is_full_locked(const struct unix_socket *socket, const struct unix_socket *peer);

#endif
