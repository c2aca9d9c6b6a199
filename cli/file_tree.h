/*
 * A tree of files for a VM, put together in memory: from files of the host, container file
 * trees and texts. What comes later replaces what was there, but directories are joined.
 *
 * Contents stay where they are until the image is written (cli/erofs_write.h). Paths are those
 * of the VM, absolute; links in the tree are followed within it, never on the host. Whatever
 * cannot be done ends the command with one line.
 */
#ifndef CLI_FILE_TREE_H
#define CLI_FILE_TREE_H

#include <sys/stat.h>

#include "lib/compiler.h"

struct file_xattr {
	struct file_xattr *next;
	char *name; /* whole: "user.x" */
	void *value;
	size_t bytes;
};

struct file_node {
	char *name;
	mode_t mode; /* type and rights */
	uint32_t uid, gid;
	uint32_t device; /* packed as Linux does for user space */
	int64_t mtime_seconds;
	uint32_t mtime_nanoseconds;
	uint64_t bytes;
	char *host;                  /* file: where its contents are on the host; NULL: see data */
	const void *data;            /* file, link: contents, if not on the host */
	struct file_node *same_file; /* another name of that file; else NULL */
	struct file_xattr *xattrs;
	struct file_node **children; /* by name, as memcmp orders */
	size_t child_count, child_capacity;

	/* While an image is written. */
	uint64_t offset; /* of the inode */
	uint64_t block;  /* first, of contents */
	uint32_t links;
	uint32_t directories; /* among the children */
	uint32_t xattr_bytes;
	bool is_inline; /* the last block lies behind the inode */
};

/* Default files, by the package of Go's library that opens them. */
enum default_files {
	DEFAULT_TIME_ZONES = 1,   /* time */
	DEFAULT_CERTIFICATES = 2, /* crypto/x509 */
	DEFAULT_NAMES = 4,        /* net, mime */
	DEFAULT_ALL = 7,
};

struct file_tree {
	struct file_node root;
	uint64_t bytes, limit_bytes; /* of contents */
	uint64_t file_count;
	bool verbose;
	bool is_timeless; /* leave times of change out: the same files, the same image */
};

void file_tree_init(struct file_tree *tree, uint64_t limit_bytes, bool verbose);

/* The directory, made with those above it if missing. */
struct file_node *file_tree_directory(struct file_tree *tree, const char *path);
/* A new node at the path, over what was there; the caller fills in the rest. A directory over a
 * directory is the old node. */
struct file_node *file_tree_put(struct file_tree *tree, const char *path, mode_t mode);
/* NULL if there is none. The last component is followed if it is a link and `follow`. */
struct file_node *file_tree_find(struct file_tree *tree, const char *path, bool follow);
/* Takes the name away, and what is below it, if it is there. */
void file_tree_remove(struct file_tree *tree, const char *path);
/* Counts contents against the limit. */
void file_tree_count(struct file_tree *tree, uint64_t bytes, const char *path);

/* A regular file with this text, which stays where it is. */
void file_tree_put_text(struct file_tree *tree, const char *path, const char *text);
void file_tree_put_link(struct file_tree *tree, const char *path, const char *target);

/* ---- from the host (file_tree_host.c) ---------------------------------------- */

/* The file or directory `host` as `guest`; all of it owned by root unless `keep_owner`. What a
 * VM cannot have (sockets; without keep_owner: devices, pipes) is left out with a note. */
void file_tree_add(struct file_tree *tree, const char *host, const char *guest, bool keep_owner);
/* "HOST[:GUEST]"; GUEST defaults to the absolute path of HOST. `flag` is for messages. */
void file_tree_add_argument(struct file_tree *tree, const char *argument);
/* A container's file tree: a directory, or a tar archive, maybe compressed (cli/tar.h). */
void file_tree_add_rootfs(struct file_tree *tree, const char *path);
/* What Go's standard library opens (default_files.c), where the tree does not have it. */
void file_tree_add_defaults(struct file_tree *tree, unsigned wanted);

#endif
