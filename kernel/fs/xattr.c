/*
 * Extended attributes, a list on each node. See xattr.h.
 */
#include "kernel/fs/xattr.h"
#include "kernel/fs/tree.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define MOST_BYTES (1u << 20) /* of one node */

struct extended_attribute {
	struct extended_attribute *next;
	size_t bytes;
	size_t name_bytes; /* with NUL */
	char data[];       /* name, then value */
};

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int check_name(const struct vnode *vnode, const char *name)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security."};

	if (!LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG) &&
		!LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR) && starts_with(name, "user."))
		return -LINUX_EPERM;
	if (vnode->fs->read_only && !vnode->fs->storage)
		return -LINUX_EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (starts_with(name, prefixes[i]))
			return name[strlen(prefixes[i])] ? 0 : -LINUX_EINVAL;
	}
	return -LINUX_EOPNOTSUPP;
}

static struct extended_attribute **find(struct vnode *vnode, const char *name)
{
	struct extended_attribute **link = &vnode->attributes;

	while (*link && strcmp((*link)->data, name) != 0)
		link = &(*link)->next;
	return link;
}

long xattr_get(struct vnode *vnode, const char *name, void *value, size_t capacity)
{
	const struct extended_attribute *attribute;
	long result = check_name(vnode, name);

	if (result == -LINUX_EPERM)
		return -LINUX_ENODATA;
	if (result < 0)
		return result;
	mutex_lock(&vnode->lock);
	if (vnode->fs->storage) {
		result = vnode->ops->get_xattr ? vnode->ops->get_xattr(vnode, name, value, capacity)
					       : -LINUX_EOPNOTSUPP;
		mutex_unlock(&vnode->lock);
		return result;
	}
	attribute = *find(vnode, name);
	if (!attribute) {
		result = -LINUX_ENODATA;
	} else {
		result = (long)attribute->bytes;
		if (capacity > 0 && capacity < attribute->bytes)
			result = -LINUX_ERANGE;
		else if (capacity > 0)
			memcpy(value, attribute->data + attribute->name_bytes, attribute->bytes);
	}
	mutex_unlock(&vnode->lock);
	return result;
}

static size_t total_bytes(const struct vnode *vnode)
{
	size_t bytes = 0;

	for (const struct extended_attribute *a = vnode->attributes; a; a = a->next)
		bytes += sizeof(*a) + a->name_bytes + a->bytes;
	return bytes;
}

static int set_locked(struct vnode *vnode, struct extended_attribute *fresh, int flags)
{
	struct extended_attribute **link = find(vnode, fresh->data), *old = *link;

	if (old && (flags & XATTR_CREATE))
		return -LINUX_EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -LINUX_ENODATA;
	if (total_bytes(vnode) + fresh->bytes + fresh->name_bytes > MOST_BYTES)
		return -LINUX_ENOSPC;
	fresh->next = old ? old->next : NULL;
	*link = fresh;
	heap_free(old);
	vnode_touch_attributes(vnode);
	return 0;
}

static int set_stored(
	struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags)
{
	int error = vnode->fs->read_only ? -LINUX_EROFS : -LINUX_EOPNOTSUPP;

	mutex_lock(&vnode->lock);
	if (!vnode->fs->read_only && vnode->ops->set_xattr)
		error = vnode->ops->set_xattr(vnode, name, value, bytes, flags);
	mutex_unlock(&vnode->lock);
	return error;
}

static int remove_stored(struct vnode *vnode, const char *name)
{
	int error = vnode->fs->read_only ? -LINUX_EROFS : -LINUX_EOPNOTSUPP;

	mutex_lock(&vnode->lock);
	if (!vnode->fs->read_only && vnode->ops->remove_xattr)
		error = vnode->ops->remove_xattr(vnode, name);
	mutex_unlock(&vnode->lock);
	return error;
}

int xattr_set(struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags)
{
	size_t name_bytes = strlen(name) + 1;
	struct extended_attribute *fresh;
	int error = check_name(vnode, name);

	if (error)
		return error;
	if (vnode->fs->storage)
		return set_stored(vnode, name, value, bytes, flags);
	fresh = heap_alloc(sizeof(*fresh) + name_bytes + bytes);
	if (!fresh)
		return -LINUX_ENOMEM;
	fresh->bytes = bytes;
	fresh->name_bytes = name_bytes;
	memcpy(fresh->data, name, name_bytes);
	if (bytes > 0)
		memcpy(fresh->data + name_bytes, value, bytes);
	mutex_lock(&vnode->lock);
	error = set_locked(vnode, fresh, flags);
	mutex_unlock(&vnode->lock);
	if (error)
		heap_free(fresh);
	return error;
}

int xattr_preset(
	struct vnode *vnode, const struct xattr_text *name, const void *value, size_t bytes)
{
	size_t name_bytes = name->prefix_bytes + name->rest_bytes + 1;
	struct extended_attribute *fresh = heap_alloc(sizeof(*fresh) + name_bytes + bytes);

	if (!fresh)
		return -LINUX_ENOMEM;
	fresh->bytes = bytes;
	fresh->name_bytes = name_bytes;
	memcpy(fresh->data, name->prefix, name->prefix_bytes);
	memcpy(fresh->data + name->prefix_bytes, name->rest, name->rest_bytes);
	fresh->data[name_bytes - 1] = 0;
	memcpy(fresh->data + name_bytes, value, bytes);
	fresh->next = vnode->attributes;
	vnode->attributes = fresh;
	return 0;
}

long xattr_list(struct vnode *vnode, char *names, size_t capacity)
{
	size_t bytes = 0;

	if (vnode->fs->storage && !vnode->ops->list_xattr)
		return 0;
	mutex_lock(&vnode->lock);
	if (vnode->fs->storage) {
		long result = vnode->ops->list_xattr(vnode, names, capacity);

		mutex_unlock(&vnode->lock);
		return result;
	}
	for (const struct extended_attribute *a = vnode->attributes; a; a = a->next) {
		if (bytes + a->name_bytes <= capacity)
			memcpy(names + bytes, a->data, a->name_bytes);
		bytes += a->name_bytes;
	}
	mutex_unlock(&vnode->lock);
	return capacity > 0 && bytes > capacity ? -LINUX_ERANGE : (long)bytes;
}

int xattr_remove(struct vnode *vnode, const char *name)
{
	struct extended_attribute **link, *old;
	int error = check_name(vnode, name);

	if (error)
		return error;
	if (vnode->fs->storage)
		return remove_stored(vnode, name);
	mutex_lock(&vnode->lock);
	link = find(vnode, name);
	old = *link;
	if (old) {
		*link = old->next;
		vnode_touch_attributes(vnode);
	}
	mutex_unlock(&vnode->lock);
	heap_free(old);
	return old ? 0 : -LINUX_ENODATA;
}

void xattr_release(struct vnode *vnode)
{
	while (vnode->attributes) {
		struct extended_attribute *next = vnode->attributes->next;

		heap_free(vnode->attributes);
		vnode->attributes = next;
	}
}
