/*
 * Names and nodes: the cached tree of path entries.
 *
 * `tree.lock` (mutex, rank 5) serialises changes of names. `tree.spin` (rank 8)
 * guards the links between entries, so that a walk over cached names takes nothing
 * else and no references on its way. An entry in the tree is kept by its link; it
 * keeps its parent. Entries of the memory file systems are the only record of their
 * names; those of a file system with names_vary are made by its lookup and belong
 * to whoever holds them. Those of file systems on storage are a cache: they come with
 * lookups, may say that there is no such name, and go when nobody holds them and
 * there are too many.
 */
#ifndef KERNEL_FS_TREE_H
#define KERNEL_FS_TREE_H

#include "kernel/fs/vfs.h"
#include "kernel/lock.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"

struct path_entry {
	uint32_t references;
	uint32_t hash;
	struct path_entry *parent; /* with a reference; NULL: the root, or nameless */
	struct vnode *vnode;       /* with a reference; NULL: there is no such name (cached) */
	struct path_entry *hash_next;
	struct list siblings; /* in parent->children, by ascending cookie */
	struct list children;
	uint64_t cookie;      /* position in a directory listing */
	uint64_t last_cookie; /* given to a child */
	/* Of file systems on storage. */
	struct list cached_link; /* among all that may be forgotten */
	uint64_t valid_until_ns; /* clock_monotonic_ns(); UINT64_MAX: for ever */
	uint32_t generation;     /* counts changes of the names below */
	bool is_cached;          /* on the list */
	bool used;               /* since the list was last looked at */
	const char *name;
	uint8_t name_length;
	bool linked;        /* in the tree */
	bool name_is_owned; /* a heap block of its own */
	char inline_name[];
};

struct tree {
	struct mutex lock;
	struct spinlock spin;
	struct path_entry *root;
	struct path_entry *current_directory; /* guarded by spin; with a reference */
	uint32_t umask;
};

extern struct tree tree;

int tree_init(struct vnode *root);
void tree_teardown(void); /* drops everything; for tests */

/* In procfs the lookup itself fails where there is no name: nothing gets as far as being
 * told that it cannot be made. Elsewhere a missing name is no error yet. */
static inline bool tree_misses_are_errors(const struct vnode *directory)
{
	return directory->fs->magic == 0x9fa0; /* PROC_SUPER_MAGIC */
}

uint32_t path_hash(const char *name, size_t length);

struct path_entry *path_entry_acquire(struct path_entry *entry);
void path_entry_release(struct path_entry *entry); /* without tree.spin; may sleep */
/* An entry outside the tree, with one reference; takes its own on parent and vnode. */
struct path_entry *path_entry_create(
	struct path_entry *parent, const char *name, size_t length, struct vnode *vnode);
static inline bool path_entry_is_directory(const struct path_entry *entry)
{
	return LINUX_S_ISTYPE(entry->vnode->mode, LINUX_S_IFDIR);
}
/* The root of a mounted tree: it cannot be removed or renamed. */
bool path_entry_is_mount(const struct path_entry *entry);

/* Is the directory one whose names are a cache? */
static inline bool tree_is_cached(const struct path_entry *directory)
{
	return directory->vnode->fs->storage != NULL;
}

/* With tree.spin held: no reference is added. The second also finds entries that say that
 * there is no such name. */
struct path_entry *tree_find_locked(
	struct path_entry *parent, const char *name, size_t length, uint32_t hash);
struct path_entry *tree_find_any_locked(
	struct path_entry *parent, const char *name, size_t length, uint32_t hash);
/* What a lookup in storage found, into the cache, unless it is there already: returns the
 * entry that counts. Takes the reference of `fresh`; *dropped (may be NULL afterwards) is an
 * entry that the caller releases without the lock. */
struct path_entry *tree_cache_locked(struct path_entry *fresh, struct path_entry **dropped);
/* Are there more cached names than wanted? tree_forget_names() drops at least `count` of those
 * least used, if it can; returns how many. May sleep. */
bool tree_has_too_many(void);
uint32_t tree_forget_names(uint32_t count);
/* Drops what is cached below an entry (leaves only) or one name. */
void tree_forget_children(struct path_entry *directory);
void tree_forget_name(const struct vnode *directory, const char *name, size_t length);
/* Puts an entry of the same name with another vnode in the place of `covered`, and back. */
int tree_cover(struct path_entry *covered, struct vnode *vnode, struct path_entry **result);
void tree_uncover(struct path_entry *cover, struct path_entry *covered);

/* With tree.lock held. tree_link: *result (if wanted) comes with a reference. With
 * `borrow_name`, name stays valid for ever and is not copied. */
int tree_link(struct path_entry *parent, const char *name, size_t length, struct vnode *vnode,
	bool borrow_name, struct path_entry **result);
/* The same with tree.spin held as well, or instead: for names that were always there. The
 * entry comes without a reference; NULL: no memory. */
struct path_entry *tree_link_locked(struct path_entry *parent, const char *name, size_t length,
	struct vnode *vnode, bool borrow_name);
void tree_unlink(struct path_entry *entry);
/* `replaced` (may be NULL) leaves the tree at the same moment. */
int tree_move(struct path_entry *entry, struct path_entry *parent, const char *name, size_t length,
	struct path_entry *replaced);
int tree_exchange(struct path_entry *a, struct path_entry *b);
/* True if `ancestor` is `entry` or above it. */
bool tree_is_above(const struct path_entry *ancestor, const struct path_entry *entry);

/* Absolute path with NUL; " (deleted)" after what is gone if `mark_deleted`. Length
 * with NUL, -ERANGE, -ENOENT (gone and not to be marked). */
long tree_describe(struct path_entry *entry, char *buffer, size_t capacity, bool mark_deleted);

/* A path of a node, for /proc/self/maps: searches all names. */
void tree_describe_vnode(const struct vnode *vnode, char *buffer, size_t capacity);

/* ---- nodes ---------------------------------------------------------------- */

/* Fills in the common fields: one reference, times now, root's, the next inode. */
void vnode_init(
	struct vnode *vnode, const struct vnode_ops *ops, struct file_system *fs, uint32_t mode);
struct vnode *vnode_acquire(struct vnode *vnode);
void vnode_release(struct vnode *vnode);
static inline bool vnode_same_mount(const struct vnode *a, const struct vnode *b)
{
	return a->fs->device == b->fs->device;
}
void vnode_stat(struct vnode *vnode, struct linux_stat *stat);
int vnode_get_attributes(struct vnode *vnode, struct linux_stat *stat);
int vnode_set_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values);
/* Contents, or (changed) only attributes: sets the times to now. */
void vnode_touch_contents(struct vnode *vnode);
void vnode_touch_attributes(struct vnode *vnode);
void vnode_touch_access(struct vnode *vnode); /* relatime */

/* ---- paths (path.c) ------------------------------------------------------- */

enum path_flags {
	PATH_FOLLOW = 1,   /* a link as last component is followed */
	PATH_PARENT = 2,   /* for changing names: never follow the last component */
	PATH_MAY_MISS = 4, /* a missing last component is no error */
	PATH_CREATE = 8,   /* for O_CREAT: -EISDIR if the last name ends in a slash */
};

enum path_last {
	PATH_LAST_NAME,
	PATH_LAST_DOT,
	PATH_LAST_DOTDOT,
	PATH_LAST_ROOT,
	PATH_LAST_JUMP, /* where a link of /proc led */
};

/* What a path leads to. */
struct resolved {
	struct path_entry *parent; /* with a reference; only for PATH_LAST_NAME */
	struct path_entry *entry;  /* with a reference; NULL if the name does not exist */
	struct file *file;         /* with a reference: open file without an entry */
	enum path_last last;
	bool ends_in_slash;
	size_t name_length;
	char name[256];
};

/* On errors nothing is held. */
int path_resolve(int directory_fd, const char *path, uint32_t path_flags, uint64_t resolve,
	struct resolved *result);
/* The same for AT_EMPTY_PATH: an empty path means the descriptor itself. */
int path_resolve_at(int directory_fd, const char *path, uint32_t at_flags, uint32_t path_flags,
	struct resolved *result);
void resolved_release(struct resolved *result);

#endif
