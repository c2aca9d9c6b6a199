/*
 * Sockets as descriptors: what socket(2) makes, and what each family implements.
 *
 * kernel/syscall/socket*.c copies names, options and control data from and to the program and
 * knows nothing of families; this layer has the file_ops, waits, and the options of
 * SOL_SOCKET; a family (struct socket_ops) never waits: -EAGAIN and -EINPROGRESS make the
 * layer wait on socket->events unless the call does not block. Families take the network
 * lock themselves where they need it.
 */
#ifndef KERNEL_NET_SOCKET_H
#define KERNEL_NET_SOCKET_H

#include "lib/compiler.h"
#include "kernel/mm/uio.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/wait.h"

#define SOCKET_NAME_BYTES    128u /* struct sockaddr_storage */
#define SOCKET_CONTROL_BYTES 4096u

struct file;
struct socket;
struct socket_filter;

/* A sockaddr, in kernel memory. bytes 0: none given. */
struct socket_name {
	uint32_t bytes;
	uint8_t data[SOCKET_NAME_BYTES];
};

/* One message of sendmsg(2) or recvmsg(2). MSG_DONTWAIT is set for files that do not block. */
struct socket_message {
	struct uio *uio;
	uint32_t flags;            /* MSG_ of the call */
	uint32_t result_flags;     /* MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_ERRQUEUE */
	struct socket_name *name;  /* to: NULL or 0 bytes: none; from: filled in; NULL: unwanted */
	uint8_t *control;          /* cmsghdrs in kernel memory */
	uint32_t control_bytes;    /* send: given; receive: used so far */
	uint32_t control_capacity; /* receive */
	bool is_complete;          /* receive: MSG_WAITALL is not to go on beyond this */
};

struct socket_ops {
	const char *name; /* "TCP", "UDP", "UNIX": for /proc */
	bool is_filtered; /* socket->filter is run: SO_ATTACH_FILTER is possible */
	int (*bind)(struct socket *socket, const struct socket_name *name);
	/* -EINPROGRESS: socket->events tells; then `connect_result`. */
	int (*connect)(struct socket *socket, const struct socket_name *name);
	int (*connect_result)(struct socket *socket); /* -EINPROGRESS, 0 or the error */
	int (*listen)(struct socket *socket, int backlog);
	/* A connected socket (one reference, no file yet). -EAGAIN. */
	int (*accept)(struct socket *socket, struct socket **connection);
	int (*local_name)(struct socket *socket, struct socket_name *name);
	int (*peer_name)(struct socket *socket, struct socket_name *name); /* -ENOTCONN */
	long (*send)(struct socket *socket, struct socket_message *message);
	long (*receive)(struct socket *socket, struct socket_message *message);
	int (*shutdown)(struct socket *socket, uint32_t how); /* bits: 1 receive, 2 send */
	uint32_t (*poll)(struct socket *socket);
	/* Options of the family's levels and of SOL_SOCKET that it keeps itself; values in kernel
	 * memory. -ENOPROTOOPT: the layer tries its own. */
	int (*set_option)(
		struct socket *socket, int level, int option, const void *value, uint32_t bytes);
	/* *bytes: capacity, then used. */
	int (*get_option)(
		struct socket *socket, int level, int option, void *value, uint32_t *bytes);
	/* SIOC..., FIONREAD; `argument` is the program's word. -ENOTTY: the layer tries its own. */
	long (*ioctl)(struct socket *socket, uint32_t request, uintptr_t argument);
	/* The last reference is gone. May sleep (SO_LINGER). Frees `data`. */
	void (*release)(struct socket *socket);
};

struct socket {
	const struct socket_ops *ops;
	void *data; /* of the family */
	uint32_t references;
	uint16_t family, type;
	uint32_t protocol;
	uint64_t number;           /* the inode that /proc/self/fd shows */
	struct wait_queue *events; /* own_events, or the family's (tcp_events()) */
	struct wait_queue own_events;
	struct mutex send_lock, receive_lock; /* one sender, one receiver at a time (streams) */

	/* SOL_SOCKET, kept by the layer; families read them. */
	uint64_t send_timeout_ns, receive_timeout_ns;     /* 0: for ever */
	uint32_t send_buffer_bytes, receive_buffer_bytes; /* 0: never set */
	uint32_t receive_low_water, device_index, mark, priority;
	int32_t linger_seconds; /* -1: off */
	bool reuse_address, reuse_port, broadcast, keep_alive, dont_route, timestamp, timestamp_ns,
		pass_credentials, oob_inline, no_check;
	int error; /* pending, for SO_ERROR: positive */

	struct socket_filter *filter; /* NULL: none; network lock */
	bool filter_is_locked;
};

/* Families: makes a socket of this family for (type, protocol). -ESOCKTNOSUPPORT,
 * -EPROTONOSUPPORT, -ENOMEM. */
struct socket_family {
	uint16_t family; /* AF_ */
	int (*create)(int type, int protocol, struct socket **socket);
	/* NULL: -EOPNOTSUPP */
	int (*create_pair)(int type, int protocol, struct socket *pair[2]);
};

extern const struct socket_family socket_family_unix, socket_family_inet, socket_family_inet6,
	socket_family_netlink, socket_family_packet;

/* For families: allocates with one reference and defaults. NULL: no memory. */
struct socket *socket_allocate(
	const struct socket_ops *ops, uint16_t family, int type, int protocol, void *data);
void socket_acquire(struct socket *socket);
void socket_release(struct socket *socket);

/* socket(2): -EAFNOSUPPORT and what the family says. A file with one reference, whose release
 * drops the socket's. flags: O_NONBLOCK. */
int socket_create_file(int family, int type, int protocol, uint32_t flags, struct file **file);
int socket_create_pair(int family, int type, int protocol, uint32_t flags, struct file *files[2]);
/* NULL: the file is no socket (-ENOTSOCK). */
struct socket *socket_of_file(const struct file *file);

/* The calls, waiting as the file's O_NONBLOCK, MSG_DONTWAIT and the timeouts say. */
int socket_connect(struct file *file, const struct socket_name *name);
int socket_accept(struct file *file, uint32_t flags, struct file **connection);
long socket_send(struct file *file, struct socket_message *message);
long socket_receive(struct file *file, struct socket_message *message);
int socket_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes);
int socket_get_option(struct socket *socket, int level, int option, void *value, uint32_t *bytes);
/* For families that have to know of a change: sets what the layer keeps of SOL_SOCKET. */
int socket_set_base_option(struct socket *socket, int option, const void *value, uint32_t bytes);

/* Appends a cmsghdr to what is received; sets MSG_CTRUNC when it does not fit. */
void socket_add_control(
	struct socket_message *message, int level, int type, const void *data, uint32_t bytes);

#endif
