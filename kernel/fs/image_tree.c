/*
 * Names and nodes out of EROFS images. See image_tree.h.
 */
#include "kernel/fs/image_tree.h"
#include "abi/erofs.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define BUCKETS 256u

/* A file that has several names in its image. The table's reference keeps the node as long as
 * one of them may not have been looked for: until its last name is removed. */
struct shared_node {
	struct shared_node *next;
	const struct erofs_image *image;
	uint64_t nid;
	struct vnode *vnode;
};

static struct erofs_image images[IMAGE_LAYERS];
static uint32_t image_count;
static struct shared_node *shared_nodes[BUCKETS];

static struct shared_node **bucket_of(const struct erofs_image *image, uint64_t nid)
{
	return &shared_nodes[(nid ^ (uint64_t)(image - images) * 61) % BUCKETS];
}

static bool is_directory(uint32_t mode)
{
	return LINUX_S_ISTYPE(mode, LINUX_S_IFDIR);
}

/* ---- contents ---------------------------------------------------------------- */

/* The pages of a file that lie here and there; its base is its inode in the image. */
static const uint8_t *find_base(const struct page_cache *cache, uint64_t index)
{
	const struct erofs_image *image = images;
	struct erofs_inode inode;
	const uint8_t *data;
	uint64_t bytes;

	while (cache->base < image->data || cache->base >= image->data + image->bytes)
		image++;
	if (erofs_read_inode(image,
		    (uint64_t)(cache->base - image->data - image->meta) / EROFS_SLOT_BYTES,
		    &inode) != 0 ||
		erofs_find_data(image, &inode, index << PAGE_SHIFT, &data, &bytes) != 0)
		return NULL;
	return data;
}

static void place_contents(
	struct vnode *vnode, const struct erofs_image *image, const struct erofs_inode *inode)
{
	struct page_cache *cache = &memory_file_of(vnode)->cache;

	vnode->size = cache->base_bytes = inode->size;
	if (inode->layout == EROFS_PLAIN) {
		cache->base = image->data + inode->place;
	} else if (inode->layout == EROFS_INLINE && inode->size <= EROFS_BLOCK_BYTES) {
		cache->base = image->data + inode->tail;
	} else {
		cache->base = image->data + image->meta + inode->nid * EROFS_SLOT_BYTES;
		cache->find_base = find_base;
	}
}

/* ---- nodes -------------------------------------------------------------------- */

static struct vnode *make_link(const struct erofs_image *image, const struct erofs_inode *inode)
{
	struct vnode *vnode = NULL;
	char *text = heap_alloc(inode->size + 1);

	if (text && erofs_read(image, inode, 0, text, inode->size) == (int64_t)inode->size) {
		text[inode->size] = 0;
		vnode = memfs_new_link(&memfs_root, text);
	}
	heap_free(text);
	return vnode;
}

static struct vnode *make_directory(
	const struct erofs_inode *inode, const struct image_place *layers, uint32_t count)
{
	struct vnode *vnode = memfs_new_directory(&memfs_root, inode->mode & 07777);
	struct image_names *names = vnode ? heap_zalloc(sizeof(*names)) : NULL;

	if (!names) {
		if (vnode)
			vnode_release(vnode);
		return NULL;
	}
	names->count = count;
	memcpy(names->layers, layers, count * sizeof(*layers));
	vnode->data = names;
	vnode->size = inode->size;
	return vnode;
}

static int add_xattrs(
	struct vnode *vnode, const struct erofs_image *image, const struct erofs_inode *inode)
{
	struct erofs_xattr xattr;
	uint64_t position = 0;
	int status;

	while ((status = erofs_next_xattr(image, inode, &position, &xattr)) == 1) {
		struct xattr_text name = {
			xattr.prefix, strlen(xattr.prefix), xattr.name, xattr.name_bytes};
		int error = xattr_preset(vnode, &name, xattr.value, xattr.value_bytes);

		if (error)
			return error;
	}
	return status;
}

static void set_attributes(struct vnode *vnode, const struct erofs_inode *inode)
{
	vnode->uid = inode->uid;
	vnode->gid = inode->gid;
	vnode->atime_ns = vnode->mtime_ns = vnode->ctime_ns = vnode->btime_ns = inode->mtime_ns;
	if (is_directory(inode->mode))
		vnode->nlink = MAX(inode->links, 2u);
}

/* `layers`: what is behind it, if it is a directory. */
static int make_node(const struct image_place *layers, uint32_t count,
	const struct erofs_inode *inode, struct vnode **result)
{
	const struct erofs_image *image = layers[0].image;
	uint32_t mode = inode->mode & (LINUX_S_IFMT | 07777);
	struct vnode *vnode;
	int error;

	if (is_directory(mode)) {
		vnode = make_directory(inode, layers, count);
	} else if (LINUX_S_ISTYPE(mode, LINUX_S_IFREG)) {
		vnode = memfs_new_file(&memfs_root, mode & 07777);
		if (vnode)
			place_contents(vnode, image, inode);
	} else if (LINUX_S_ISTYPE(mode, LINUX_S_IFLNK)) {
		if (inode->size == 0 || inode->size >= LINUX_PATH_MAX)
			return -LINUX_EUCLEAN;
		vnode = make_link(image, inode);
	} else {
		vnode = memfs_new_special(&memfs_root, mode, NULL, NULL, NULL);
		if (vnode)
			vnode->rdev = inode->device;
	}
	if (!vnode)
		return -LINUX_ENOMEM;
	error = add_xattrs(vnode, image, inode);
	if (error) {
		vnode_release(vnode);
		return error;
	}
	set_attributes(vnode, inode);
	*result = vnode;
	return 0;
}

/* The one node of a file with several names. */
static int share_node(
	const struct image_place *place, const struct erofs_inode *inode, struct vnode **result)
{
	struct shared_node **bucket = bucket_of(place->image, place->nid), *shared;
	int error;

	for (shared = *bucket; shared; shared = shared->next) {
		if (shared->image == place->image && shared->nid == place->nid) {
			*result = vnode_acquire(shared->vnode);
			return 0;
		}
	}
	shared = heap_alloc(sizeof(*shared));
	if (!shared)
		return -LINUX_ENOMEM;
	error = make_node(place, 1, inode, result);
	if (error) {
		heap_free(shared);
		return error;
	}
	*shared = (struct shared_node){*bucket, place->image, place->nid, vnode_acquire(*result)};
	*bucket = shared;
	(*result)->nlink = inode->links;
	(*result)->shared = shared;
	return 0;
}

void image_tree_forget(struct vnode *vnode)
{
	struct shared_node *shared = vnode->shared, **link;

	if (!shared)
		return;
	spin_lock(&tree.spin);
	link = bucket_of(shared->image, shared->nid);
	while (*link != shared)
		link = &(*link)->next;
	*link = shared->next;
	spin_unlock(&tree.spin);
	vnode->shared = NULL;
	heap_free(shared);
	vnode_release(vnode);
}

/* ---- names -------------------------------------------------------------------- */

/* What a name leads to, in the topmost image that has it. */
struct finding {
	struct erofs_name name;
	struct erofs_inode inode;
	struct image_place layers[IMAGE_LAYERS];
	uint32_t count; /* 0: nothing */
};

static int search(
	const struct image_names *names, const char *name, size_t length, struct finding *finding)
{
	finding->count = 0;
	for (uint32_t i = 0; i < names->count; i++) {
		const struct erofs_image *image = names->layers[i].image;
		struct erofs_inode inode;
		struct erofs_name found = {0};
		int error = erofs_read_inode(image, names->layers[i].nid, &inode);

		if (!error)
			error = erofs_lookup(image, &inode, name, length, &found);
		if (error == -LINUX_ENOENT)
			continue;
		if (!error)
			error = erofs_read_inode(image, found.nid, &inode);
		if (error)
			return error;
		if (finding->count == 0) {
			finding->name = found;
			finding->inode = inode;
		} else if (!is_directory(inode.mode)) {
			break;
		}
		finding->layers[finding->count++] = (struct image_place){image, found.nid};
		if (!is_directory(inode.mode))
			break;
	}
	return 0;
}

int image_tree_enter_locked(
	struct path_entry *directory, const char *name, size_t length, struct path_entry **found)
{
	struct finding finding;
	struct vnode *vnode;
	int error;

	*found = NULL;
	if (!image_tree_covers(directory->vnode))
		return 0;
	error = search(directory->vnode->data, name, length, &finding);
	if (error || finding.count == 0)
		return error;
	if (finding.inode.links > 1 && !is_directory(finding.inode.mode))
		error = share_node(&finding.layers[0], &finding.inode, &vnode);
	else
		error = make_node(finding.layers, finding.count, &finding.inode, &vnode);
	if (error)
		return error;
	*found = tree_link_locked(directory, finding.name.text, finding.name.length, vnode, true);
	vnode_release(vnode);
	return *found ? 0 : -LINUX_ENOMEM;
}

static int enter_if_missing(struct path_entry *directory, const struct erofs_name *name)
{
	uint32_t hash = path_hash(name->text, name->length);
	struct path_entry *entry;
	int error = 0;

	spin_lock(&tree.spin);
	if (!tree_find_locked(directory, name->text, name->length, hash))
		error = image_tree_enter_locked(directory, name->text, name->length, &entry);
	spin_unlock(&tree.spin);
	return error;
}

int image_tree_fill(struct path_entry *directory)
{
	struct image_names *names = directory->vnode->data;

	if (!image_tree_covers(directory->vnode))
		return 0;
	for (uint32_t i = 0; i < names->count; i++) {
		const struct erofs_image *image = names->layers[i].image;
		struct erofs_inode inode;
		struct erofs_name name;
		uint64_t position = 0;
		int status = erofs_read_inode(image, names->layers[i].nid, &inode);

		if (status)
			return status;
		while ((status = erofs_next_name(image, &inode, &position, &name)) == 1) {
			int error = enter_if_missing(directory, &name);

			if (error)
				return error;
		}
		if (status)
			return status;
	}
	spin_lock(&tree.spin);
	names->is_filled = true;
	spin_unlock(&tree.spin);
	return 0;
}

/* ---- the root ------------------------------------------------------------------ */

int image_tree_add(const void *data, uint64_t bytes)
{
	struct vnode *root = tree.root->vnode;
	struct image_names *names = root->data;
	struct erofs_inode inode;
	int error;

	if (image_count == IMAGE_LAYERS)
		return -LINUX_ENOSPC;
	error = erofs_open(&images[image_count], data, bytes);
	if (!error)
		error = erofs_read_inode(&images[image_count], images[image_count].root, &inode);
	if (!error && !is_directory(inode.mode))
		error = -LINUX_EUCLEAN;
	if (error)
		return error;
	if (!names)
		root->data = names = heap_zalloc(sizeof(*names));
	if (!names)
		return -LINUX_ENOMEM;
	memmove(names->layers + 1, names->layers, names->count++ * sizeof(names->layers[0]));
	names->layers[0] = (struct image_place){&images[image_count], images[image_count].root};
	image_count++;
	root->mode = LINUX_S_IFDIR | (inode.mode & 07777);
	root->size = inode.size;
	set_attributes(root, &inode);
	return 0;
}

void image_tree_teardown(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		while (shared_nodes[i])
			image_tree_forget(shared_nodes[i]->vnode);
	}
	image_count = 0;
}
