/*
 * Names of AF_UNIX sockets: paths (the node is what is found, whatever its names) and
 * abstract ones. See unix_socket.h.
 */
#include "kernel/fs/tree.h"
#include "kernel/mm/heap.h"
#include "kernel/net/unix_socket.h"
#include "kernel/random.h"
#include "lib/format.h"
#include "lib/string.h"

#define PATH_OFFSET      offsetof(struct linux_sockaddr_un, path)
#define BUCKETS          64u
#define AUTOMATIC_DIGITS 5u

/* Bound sockets; guarded by unix_lock. */
static struct unix_bucket {
	struct list sockets; /* next NULL: never used */
} buckets[BUCKETS];

static struct list *bucket_at(uint64_t hash)
{
	struct list *bucket = &buckets[(hash ^ hash >> 32) % BUCKETS].sockets;

	if (bucket->next == NULL)
		list_init(bucket);
	return bucket;
}

static uint64_t hash_bytes(const char *bytes, size_t count, uint64_t hash)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001b3ull;
	return hash;
}

static struct list *bucket_of_abstract(const char *path, size_t bytes, uint16_t type)
{
	return bucket_at(hash_bytes(path, bytes, type));
}

static struct list *bucket_of_vnode(const struct vnode *vnode)
{
	return bucket_at((uintptr_t)vnode / sizeof(void *));
}

int unix_name_check(const struct socket_name *name)
{
	uint16_t family;

	if (name->bytes <= PATH_OFFSET || name->bytes > sizeof(struct linux_sockaddr_un))
		return -LINUX_EINVAL;
	memcpy(&family, name->data, sizeof(family));
	return family == LINUX_AF_UNIX ? 0 : -LINUX_EINVAL;
}

void unix_address_acquire(struct unix_address *address)
{
	__atomic_fetch_add(&address->references, 1, __ATOMIC_RELAXED);
}

void unix_address_release(struct unix_address *address)
{
	if (address == NULL || __atomic_sub_fetch(&address->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (address->vnode != NULL)
		vnode_release(address->vnode);
	heap_free(address);
}

void unix_address_show(const struct unix_address *address, struct socket_name *name)
{
	uint16_t family = LINUX_AF_UNIX;

	if (address == NULL) {
		memcpy(name->data, &family, sizeof(family));
		name->bytes = sizeof(family);
		return;
	}
	memcpy(name->data, &address->name, address->bytes);
	name->bytes = address->bytes;
}

static struct unix_address *create_address(const char *path, size_t bytes)
{
	struct unix_address *address = heap_zalloc(sizeof(*address));

	if (address == NULL)
		return NULL;
	address->references = 1;
	address->bytes = (uint32_t)(PATH_OFFSET + bytes);
	address->name.family = LINUX_AF_UNIX;
	memcpy(address->name.path, path, MIN(bytes, sizeof(address->name.path)));
	return address;
}

/* ---- binding ------------------------------------------------------------------------- */

static struct unix_socket *find_abstract_locked(const char *path, size_t bytes, uint16_t type)
{
	LIST_FOR_EACH (link, bucket_of_abstract(path, bytes, type)) {
		struct unix_socket *socket = LIST_ENTRY(link, struct unix_socket, name_link);
		const struct unix_address *address = socket->address;

		if (address->vnode == NULL && socket->type == type &&
			address->bytes == PATH_OFFSET + bytes &&
			memcmp(address->name.path, path, bytes) == 0)
			return socket;
	}
	return NULL;
}

/* Gives the socket its name, in `bucket`. */
static int attach_locked(
	struct unix_socket *socket, struct unix_address *address, struct list *bucket)
{
	if (socket->address != NULL)
		return -LINUX_EINVAL;
	socket->address = address;
	list_add_last(bucket, &socket->name_link);
	return 0;
}

static int bind_abstract(struct unix_socket *socket, const char *path, size_t bytes)
{
	struct unix_address *address = create_address(path, bytes);
	int error;

	if (address == NULL)
		return -LINUX_ENOMEM;
	spin_lock(&unix_lock);
	if (socket->address != NULL)
		error = -LINUX_EINVAL;
	else if (find_abstract_locked(path, bytes, socket->type) != NULL)
		error = -LINUX_EADDRINUSE;
	else
		error = attach_locked(
			socket, address, bucket_of_abstract(path, bytes, socket->type));
	spin_unlock(&unix_lock);
	if (error != 0)
		unix_address_release(address);
	return error;
}

/* The node of a path that was just made, with a reference. */
static int get_node(const char *path, struct vnode **vnode)
{
	struct resolved where;
	int error = path_resolve(LINUX_AT_FDCWD, path, PATH_FOLLOW, 0, &where);

	if (error != 0)
		return error;
	*vnode = NULL;
	if (where.entry != NULL && LINUX_S_ISTYPE(where.entry->vnode->mode, LINUX_S_IFSOCK))
		*vnode = vnode_acquire(where.entry->vnode);
	resolved_release(&where);
	return *vnode != NULL ? 0 : -LINUX_ECONNREFUSED;
}

static int bind_path(struct unix_socket *socket, const char *path)
{
	struct unix_address *address = create_address(path, strlen(path) + 1);
	int error;

	if (address == NULL)
		return -LINUX_ENOMEM;
	error = vfs_mknod(LINUX_AT_FDCWD, path, LINUX_S_IFSOCK | 0777, 0);
	if (error == -LINUX_EEXIST)
		error = -LINUX_EADDRINUSE;
	if (error == 0)
		error = get_node(path, &address->vnode);
	if (error != 0) {
		unix_address_release(address);
		return error;
	}
	spin_lock(&unix_lock);
	error = attach_locked(socket, address, bucket_of_vnode(address->vnode));
	spin_unlock(&unix_lock);
	if (error != 0) {
		vfs_unlink(LINUX_AT_FDCWD, path, false);
		unix_address_release(address);
	}
	return error;
}

/* The path with its NUL, which the name need not have. */
static void copy_path(const struct socket_name *name, char path[LINUX_UNIX_PATH_MAX + 1])
{
	size_t bytes = name->bytes - PATH_OFFSET;

	memcpy(path, name->data + PATH_OFFSET, bytes);
	path[bytes] = '\0';
}

int unix_name_bind(struct unix_socket *socket, const struct socket_name *name)
{
	char path[LINUX_UNIX_PATH_MAX + 1];
	uint16_t family;
	int error;

	if (name->bytes == PATH_OFFSET) {
		memcpy(&family, name->data, sizeof(family));
		if (family == LINUX_AF_UNIX)
			return unix_name_bind_automatically(socket);
	}
	error = unix_name_check(name);
	if (error != 0)
		return error;
	copy_path(name, path);
	return path[0] != '\0' ? bind_path(socket, path)
			       : bind_abstract(socket, path, name->bytes - PATH_OFFSET);
}

int unix_name_bind_automatically(struct unix_socket *socket)
{
	uint32_t last = 1u << (4 * AUTOMATIC_DIGITS), first = (uint32_t)random_u64() % last;

	for (uint32_t i = 0; i < last; i++) {
		char path[AUTOMATIC_DIGITS + 2] = {'\0'};
		int error;

		format_text(path + 1, sizeof(path) - 1, "%05x", (first + i) % last);
		error = bind_abstract(socket, path, AUTOMATIC_DIGITS + 1);
		if (error == -LINUX_EINVAL)
			return 0; /* it has a name */
		if (error != -LINUX_EADDRINUSE)
			return error;
	}
	return -LINUX_ENOSPC;
}

void unix_name_forget_locked(struct unix_socket *socket)
{
	if (list_is_linked(&socket->name_link))
		list_remove(&socket->name_link);
}

/* ---- finding -------------------------------------------------------------------------- */

static struct unix_socket *find_node_locked(const struct vnode *vnode)
{
	LIST_FOR_EACH (link, bucket_of_vnode(vnode)) {
		struct unix_socket *socket = LIST_ENTRY(link, struct unix_socket, name_link);

		if (socket->address->vnode == vnode)
			return socket;
	}
	return NULL;
}

static int find_path(const char *path, uint16_t type, struct unix_socket **found)
{
	struct vnode *vnode;
	int error = get_node(path, &vnode);

	if (error != 0)
		return error;
	spin_lock(&unix_lock);
	*found = find_node_locked(vnode);
	if (*found == NULL)
		error = -LINUX_ECONNREFUSED;
	else if ((*found)->type != type)
		error = -LINUX_EPROTOTYPE;
	else
		unix_acquire(*found);
	spin_unlock(&unix_lock);
	vnode_release(vnode);
	return error;
}

int unix_name_find(const struct socket_name *name, uint16_t type, struct unix_socket **found)
{
	char path[LINUX_UNIX_PATH_MAX + 1];

	copy_path(name, path);
	if (path[0] != '\0')
		return find_path(path, type, found);
	spin_lock(&unix_lock);
	*found = find_abstract_locked(path, name->bytes - PATH_OFFSET, type);
	if (*found != NULL)
		unix_acquire(*found);
	spin_unlock(&unix_lock);
	return *found != NULL ? 0 : -LINUX_ECONNREFUSED;
}
