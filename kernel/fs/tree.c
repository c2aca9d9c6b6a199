/*
 * The tree of names. See tree.h.
 */
#include "kernel/fs/tree.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/panic.h"
#include "kernel/sched/clock.h"
#include "lib/format.h"
#include "lib/string.h"

#define FIRST_BUCKETS 256u
#define MOST_BUCKETS  (1u << 18)
#define LEAST_CACHED  4096u /* names from storage that are kept in any machine */

struct tree tree;

/* Entries by parent and name, chained; guarded by tree.spin. */
static struct {
	struct path_entry **buckets;
	uint32_t bucket_count;
	uint32_t entry_count;
	struct list cached; /* those that may be forgotten, the next to look at first */
	uint32_t cached_count, most_cached;
} names;

uint32_t path_hash(const char *name, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash;
}

static struct path_entry **bucket_of(const struct path_entry *parent, uint32_t hash)
{
	uint64_t mixed = ((uintptr_t)parent >> 4) * 0x9e3779b97f4a7c15ull + hash;

	mixed *= 0xff51afd7ed558ccdull;
	return &names.buckets[(mixed >> 32) & (names.bucket_count - 1)];
}

struct path_entry *tree_find_any_locked(
	struct path_entry *parent, const char *name, size_t length, uint32_t hash)
{
	for (struct path_entry *entry = *bucket_of(parent, hash); entry; entry = entry->hash_next) {
		if (entry->hash == hash && entry->parent == parent &&
			entry->name_length == length && memcmp(entry->name, name, length) == 0)
			return entry;
	}
	return NULL;
}

struct path_entry *tree_find_locked(
	struct path_entry *parent, const char *name, size_t length, uint32_t hash)
{
	struct path_entry *entry = tree_find_any_locked(parent, name, length, hash);

	return entry && entry->vnode ? entry : NULL;
}

/* Doubles the buckets when there are as many names; without memory it stays slow. */
static void grow_locked(void)
{
	uint32_t old_count = names.bucket_count;
	struct path_entry **old = names.buckets;
	struct path_entry **fresh;

	if (names.entry_count <= old_count || old_count >= MOST_BUCKETS)
		return;
	fresh = heap_zalloc((size_t)old_count * 2 * sizeof(*fresh));
	if (!fresh)
		return;
	names.buckets = fresh;
	names.bucket_count = old_count * 2;
	for (uint32_t i = 0; i < old_count; i++) {
		for (struct path_entry *entry = old[i], *next; entry; entry = next) {
			struct path_entry **bucket = bucket_of(entry->parent, entry->hash);

			next = entry->hash_next;
			entry->hash_next = *bucket;
			*bucket = entry;
		}
	}
	heap_free(old);
}

static void insert_locked(struct path_entry *entry)
{
	struct path_entry **bucket;

	names.entry_count++;
	grow_locked();
	bucket = bucket_of(entry->parent, entry->hash);
	entry->hash_next = *bucket;
	*bucket = entry;
	list_add_last(&entry->parent->children, &entry->siblings);
	entry->cookie = ++entry->parent->last_cookie;
	entry->linked = true;
	entry->parent->generation++;
	if (tree_is_cached(entry->parent) &&
		(!entry->vnode || entry->vnode->fs == entry->parent->vnode->fs)) {
		entry->is_cached = entry->used = true;
		list_add_last(&names.cached, &entry->cached_link);
		names.cached_count++;
	}
}

static void remove_locked(struct path_entry *entry)
{
	struct path_entry **link = bucket_of(entry->parent, entry->hash);

	if (entry->is_cached) {
		list_remove(&entry->cached_link);
		names.cached_count--;
		entry->is_cached = false;
	}
	entry->parent->generation++;
	while (*link != entry)
		link = &(*link)->hash_next;
	*link = entry->hash_next;
	names.entry_count--;
	list_remove(&entry->siblings);
	entry->linked = false;
}

struct path_entry *path_entry_acquire(struct path_entry *entry)
{
	__atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
	return entry;
}

void path_entry_release(struct path_entry *entry)
{
	while (entry && __atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL) == 0) {
		struct path_entry *parent = entry->parent;

		if (entry->vnode)
			vnode_release(entry->vnode);
		if (entry->name_is_owned)
			heap_free((void *)(uintptr_t)entry->name);
		heap_free(entry);
		entry = parent;
	}
}

static struct path_entry *create(struct path_entry *parent, const char *name, size_t length,
	struct vnode *vnode, bool borrow_name)
{
	struct path_entry *entry = heap_zalloc(sizeof(*entry) + (borrow_name ? 0 : length));

	if (!entry)
		return NULL;
	entry->references = 1;
	entry->parent = parent ? path_entry_acquire(parent) : NULL;
	entry->vnode = vnode ? vnode_acquire(vnode) : NULL;
	entry->valid_until_ns = UINT64_MAX;
	entry->last_cookie = 2; /* "." and ".." */
	list_init(&entry->siblings);
	list_init(&entry->children);
	entry->hash = path_hash(name, length);
	entry->name_length = (uint8_t)length;
	entry->name = name;
	if (!borrow_name) {
		memcpy(entry->inline_name, name, length);
		entry->name = entry->inline_name;
	}
	return entry;
}

struct path_entry *path_entry_create(
	struct path_entry *parent, const char *name, size_t length, struct vnode *vnode)
{
	return create(parent, name, length, vnode, false);
}

bool path_entry_is_mount(const struct path_entry *entry)
{
	return !entry->parent || !vnode_same_mount(entry->parent->vnode, entry->vnode);
}

/* ---- names that are a cache -------------------------------------------------- */

static uint64_t time_after(uint64_t timeout_ns)
{
	return timeout_ns == UINT64_MAX ? UINT64_MAX : clock_monotonic_ns() + timeout_ns;
}

static void set_validity(struct path_entry *entry)
{
	const struct file_system *fs = entry->parent->vnode->fs;

	entry->valid_until_ns =
		time_after(entry->vnode ? fs->entry_timeout_ns : fs->negative_timeout_ns);
}

/* Takes what is cached for the name out of the tree; the caller releases it. Mounts stay. */
static struct path_entry *remove_cached_locked(
	struct path_entry *parent, const char *name, size_t length)
{
	struct path_entry *entry =
		tree_find_any_locked(parent, name, length, path_hash(name, length));

	if (!entry || !entry->is_cached)
		return NULL;
	remove_locked(entry);
	return entry;
}

struct path_entry *tree_cache_locked(struct path_entry *fresh, struct path_entry **dropped)
{
	struct path_entry *old =
		tree_find_any_locked(fresh->parent, fresh->name, fresh->name_length, fresh->hash);

	*dropped = fresh;
	if (old && (old->vnode == fresh->vnode || !old->is_cached)) {
		if (old->is_cached)
			set_validity(old);
		return old;
	}
	if (old)
		remove_locked(old);
	*dropped = old;
	insert_locked(fresh);
	set_validity(fresh);
	return fresh;
}

bool tree_has_too_many(void)
{
	return READ_ONCE(names.cached_count) > names.most_cached;
}

/* Nobody has it open, no name below it is cached, and no inotify watch is on it. */
static bool may_go_locked(const struct path_entry *entry)
{
	return !entry->used && READ_ONCE(entry->references) == 1 &&
	       list_is_empty(&entry->children) &&
	       !(entry->vnode && READ_ONCE(entry->vnode->watches));
}

/* Moves unused entries from the cache to a chain by hash_next; looks at `most`. */
static struct path_entry *take_unused_locked(uint32_t count, uint32_t most)
{
	struct path_entry *chain = NULL;

	while (count > 0 && most-- > 0 && !list_is_empty(&names.cached)) {
		struct path_entry *entry =
			LIST_ENTRY(names.cached.next, struct path_entry, cached_link);

		if (may_go_locked(entry)) {
			remove_locked(entry);
			entry->hash_next = chain;
			chain = entry;
			count--;
		} else {
			entry->used = false;
			list_remove(&entry->cached_link);
			list_add_last(&names.cached, &entry->cached_link);
		}
	}
	return chain;
}

uint32_t tree_forget_names(uint32_t count)
{
	uint32_t done = 0, before = UINT32_MAX;

	while (done < count && before != done) {
		struct path_entry *chain;

		before = done;
		spin_lock(&tree.spin);
		chain = take_unused_locked(MIN(count - done, 64), 512);
		spin_unlock(&tree.spin);
		while (chain) {
			struct path_entry *next = chain->hash_next;

			path_entry_release(chain);
			chain = next;
			done++;
		}
	}
	return done;
}

void tree_forget_children(struct path_entry *directory)
{
	struct path_entry *chain = NULL;
	struct list *link, *next;

	spin_lock(&tree.spin);
	for (link = directory->children.next; link != &directory->children; link = next) {
		struct path_entry *entry = LIST_ENTRY(link, struct path_entry, siblings);

		next = link->next;
		if (!entry->is_cached || !list_is_empty(&entry->children))
			continue;
		remove_locked(entry);
		entry->hash_next = chain;
		chain = entry;
	}
	spin_unlock(&tree.spin);
	while (chain) {
		struct path_entry *after = chain->hash_next;

		path_entry_release(chain);
		chain = after;
	}
}

void tree_forget_name(const struct vnode *directory, const char *name, size_t length)
{
	uint32_t hash = path_hash(name, length);

	spin_lock(&tree.spin);
	LIST_FOR_EACH (link, &names.cached) {
		struct path_entry *entry = LIST_ENTRY(link, struct path_entry, cached_link);

		if (entry->hash == hash && entry->parent->vnode == directory &&
			entry->name_length == length && memcmp(entry->name, name, length) == 0)
			entry->valid_until_ns = 0;
	}
	spin_unlock(&tree.spin);
}

int tree_cover(struct path_entry *covered, struct vnode *vnode, struct path_entry **result)
{
	struct path_entry *cover =
		create(covered->parent, covered->name, covered->name_length, vnode, false);

	if (!cover)
		return -LINUX_ENOMEM;
	*result = path_entry_acquire(cover);
	spin_lock(&tree.spin);
	if (covered->linked)
		remove_locked(covered);
	insert_locked(cover);
	spin_unlock(&tree.spin);
	return 0;
}

void tree_uncover(struct path_entry *cover, struct path_entry *covered)
{
	spin_lock(&tree.spin);
	remove_locked(cover);
	insert_locked(covered);
	spin_unlock(&tree.spin);
	path_entry_release(cover);
}

/* ---- changes ------------------------------------------------------------------- */

int tree_link(struct path_entry *parent, const char *name, size_t length, struct vnode *vnode,
	bool borrow_name, struct path_entry **result)
{
	struct path_entry *entry = create(parent, name, length, vnode, borrow_name);
	struct path_entry *dropped = NULL;

	if (!entry)
		return -LINUX_ENOMEM;
	spin_lock(&tree.spin);
	if (tree_is_cached(parent))
		entry = tree_cache_locked(entry, &dropped); /* a lookup may have been faster */
	else
		insert_locked(entry);
	if (result)
		*result = path_entry_acquire(entry);
	spin_unlock(&tree.spin);
	if (dropped)
		path_entry_release(dropped);
	return 0;
}

struct path_entry *tree_link_locked(struct path_entry *parent, const char *name, size_t length,
	struct vnode *vnode, bool borrow_name)
{
	struct path_entry *entry = create(parent, name, length, vnode, borrow_name);

	if (entry)
		insert_locked(entry);
	return entry;
}

void tree_unlink(struct path_entry *entry)
{
	struct path_entry *other = NULL;
	bool was_linked;

	spin_lock(&tree.spin);
	was_linked = entry->linked;
	if (was_linked)
		remove_locked(entry);
	else if (tree_is_cached(entry->parent)) /* replaced by what a lookup found */
		other = remove_cached_locked(entry->parent, entry->name, entry->name_length);
	spin_unlock(&tree.spin);
	if (was_linked)
		path_entry_release(entry);
	if (other)
		path_entry_release(other);
}

/* A heap copy of a name, for an entry that moves. */
static char *copy_name(const char *name, size_t length)
{
	char *copy = heap_alloc(length + 1);

	if (copy) {
		memcpy(copy, name, length);
		copy[length] = 0;
	}
	return copy;
}

/* Gives an entry that is not linked its new place. Returns the old name's heap block. */
static void *replace_name_locked(
	struct path_entry *entry, struct path_entry *parent, const char *copy, size_t length)
{
	void *old = entry->name_is_owned ? (void *)(uintptr_t)entry->name : NULL;

	entry->parent = parent;
	entry->name = copy;
	entry->name_is_owned = true;
	entry->name_length = (uint8_t)length;
	entry->hash = path_hash(copy, length);
	insert_locked(entry);
	return old;
}

int tree_move(struct path_entry *entry, struct path_entry *parent, const char *name, size_t length,
	struct path_entry *replaced)
{
	struct path_entry *old_parent = entry->parent;
	char *copy = copy_name(name, length);
	struct path_entry *other = NULL;
	bool was_linked;
	void *old_name;

	if (!copy)
		return -LINUX_ENOMEM;
	path_entry_acquire(parent);
	spin_lock(&tree.spin);
	was_linked = entry->linked;
	if (was_linked)
		remove_locked(entry);
	else
		path_entry_acquire(entry);
	if (replaced && replaced->linked)
		remove_locked(replaced);
	else
		replaced = NULL;
	if (tree_is_cached(parent))
		other = remove_cached_locked(parent, name, length);
	old_name = replace_name_locked(entry, parent, copy, length);
	spin_unlock(&tree.spin);
	heap_free(old_name);
	path_entry_release(old_parent);
	if (replaced)
		path_entry_release(replaced);
	if (other)
		path_entry_release(other);
	return 0;
}

int tree_exchange(struct path_entry *a, struct path_entry *b)
{
	struct path_entry *a_parent = a->parent, *b_parent = b->parent;
	size_t a_length = a->name_length, b_length = b->name_length;
	char *a_copy = copy_name(b->name, b_length), *b_copy = copy_name(a->name, a_length);
	void *a_old, *b_old;

	if (!a_copy || !b_copy) {
		heap_free(a_copy);
		heap_free(b_copy);
		return -LINUX_ENOMEM;
	}
	spin_lock(&tree.spin);
	if (!a->linked || !b->linked) {
		spin_unlock(&tree.spin); /* cached, and stale: looked up again */
		heap_free(a_copy);
		heap_free(b_copy);
		return 0;
	}
	remove_locked(a);
	remove_locked(b);
	a_old = replace_name_locked(a, b_parent, a_copy, b_length);
	b_old = replace_name_locked(b, a_parent, b_copy, a_length);
	spin_unlock(&tree.spin);
	heap_free(a_old);
	heap_free(b_old);
	return 0;
}

bool tree_is_above(const struct path_entry *ancestor, const struct path_entry *entry)
{
	for (; entry; entry = entry->parent) {
		if (entry == ancestor)
			return true;
	}
	return false;
}

/* Writes the path backwards from the end of `buffer`. NULL: too long. */
static char *write_backwards_locked(struct path_entry *entry, char *buffer, char *end)
{
	for (; entry->parent; entry = entry->parent) {
		if ((size_t)(end - buffer) < (size_t)entry->name_length + 1)
			return NULL;
		end -= entry->name_length;
		memcpy(end, entry->name, entry->name_length);
		*--end = '/';
	}
	if (entry == tree.root)
		return end;
	if ((size_t)(end - buffer) < (size_t)entry->name_length + 1)
		return NULL;
	end -= entry->name_length;
	memcpy(end, entry->name, entry->name_length);
	*--end = '/';
	return end;
}

long tree_describe(struct path_entry *entry, char *buffer, size_t capacity, bool mark_deleted)
{
	static const char mark[] = " (deleted)";
	char *end = buffer + capacity, *start;
	bool deleted;
	size_t length;

	spin_lock(&tree.spin);
	deleted = !entry->linked && !entry->vnode->fs->names_vary;
	if (deleted && !mark_deleted) {
		spin_unlock(&tree.spin);
		return -LINUX_ENOENT;
	}
	length = deleted ? sizeof(mark) : 1;
	start = NULL;
	if (capacity >= length) {
		end -= length;
		memcpy(end, deleted ? mark : "", length);
		start = write_backwards_locked(entry, buffer, end);
	}
	if (start && entry == tree.root && start > buffer)
		*--start = '/';
	else if (start && entry == tree.root)
		start = NULL;
	spin_unlock(&tree.spin);
	if (!start)
		return -LINUX_ERANGE;
	length = (size_t)(buffer + capacity - start);
	memmove(buffer, start, length);
	return (long)length;
}

int tree_init(struct vnode *root)
{
	struct page_counts counts;

	mutex_init(&tree.lock);
	spin_init(&tree.spin);
	tree.umask = 022;
	names.bucket_count = FIRST_BUCKETS;
	names.entry_count = names.cached_count = 0;
	page_alloc_counts(&counts);
	names.most_cached = (uint32_t)MIN(MAX(counts.total_pages / 2, LEAST_CACHED), UINT32_MAX);
	list_init(&names.cached);
	names.buckets = heap_zalloc(FIRST_BUCKETS * sizeof(*names.buckets));
	tree.root = names.buckets ? path_entry_create(NULL, "", 0, root) : NULL;
	if (!tree.root)
		return -LINUX_ENOMEM;
	tree.root->linked = true;
	tree.current_directory = path_entry_acquire(tree.root);
	return 0;
}

/* The first entry without children, below `entry`. */
static struct path_entry *leaf_of(struct path_entry *entry)
{
	while (!list_is_empty(&entry->children))
		entry = LIST_ENTRY(entry->children.next, struct path_entry, siblings);
	return entry;
}

void tree_teardown(void)
{
	for (struct path_entry *leaf; (leaf = leaf_of(tree.root)) != tree.root;)
		tree_unlink(leaf);
	path_entry_release(tree.current_directory);
	path_entry_release(tree.root);
	heap_free(names.buckets);
	tree.root = tree.current_directory = NULL;
	names.buckets = NULL;
}

void tree_describe_vnode(const struct vnode *vnode, char *buffer, size_t capacity)
{
	struct path_entry *found = NULL;

	spin_lock(&tree.spin);
	for (uint32_t i = 0; i < names.bucket_count && !found; i++) {
		found = names.buckets[i];
		while (found && found->vnode != vnode)
			found = found->hash_next;
	}
	if (found)
		path_entry_acquire(found);
	spin_unlock(&tree.spin);
	if (!found || tree_describe(found, buffer, capacity, true) < 0)
		format_text(buffer, capacity, "/%llu (deleted)", (unsigned long long)vnode->inode);
	if (found)
		path_entry_release(found);
}
