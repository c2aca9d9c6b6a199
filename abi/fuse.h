/*
 * The FUSE protocol, 7.31 with parts of later versions, as virtio-fs carries it (virtio 1.2,
 * section 5.11): a request is a struct fuse_request, the structure of its operation, names (each
 * ending in NUL) and data; a reply is a struct fuse_reply and the operation's structure or data.
 * Little-endian, everything aligned to 8 bytes.
 */
#ifndef ABI_FUSE_H
#define ABI_FUSE_H

#include <stddef.h>
#include <stdint.h>

#define FUSE_VERSION_MAJOR 7
#define FUSE_VERSION_MINOR 36
#define FUSE_ROOT          1 /* node of the root */

enum fuse_operation {
	FUSE_LOOKUP = 1,
	FUSE_FORGET = 2, /* no reply */
	FUSE_GETATTR = 3,
	FUSE_SETATTR = 4,
	FUSE_READLINK = 5,
	FUSE_SYMLINK = 6,
	FUSE_MKNOD = 8,
	FUSE_MKDIR = 9,
	FUSE_UNLINK = 10,
	FUSE_RMDIR = 11,
	FUSE_RENAME = 12,
	FUSE_LINK = 13,
	FUSE_OPEN = 14,
	FUSE_READ = 15,
	FUSE_WRITE = 16,
	FUSE_STATFS = 17,
	FUSE_RELEASE = 18,
	FUSE_FSYNC = 20,
	FUSE_SETXATTR = 21,
	FUSE_GETXATTR = 22,
	FUSE_LISTXATTR = 23,
	FUSE_REMOVEXATTR = 24,
	FUSE_FLUSH = 25,
	FUSE_INIT = 26,
	FUSE_OPENDIR = 27,
	FUSE_READDIR = 28,
	FUSE_RELEASEDIR = 29,
	FUSE_FSYNCDIR = 30,
	FUSE_ACCESS = 34,
	FUSE_CREATE = 35,
	FUSE_INTERRUPT = 36, /* no reply */
	FUSE_DESTROY = 38,
	FUSE_BATCH_FORGET = 42, /* no reply */
	FUSE_FALLOCATE = 43,
	FUSE_READDIRPLUS = 44,
	FUSE_RENAME2 = 45,
	FUSE_LSEEK = 46,
	FUSE_COPY_FILE_RANGE = 47,
	FUSE_SYNCFS = 50,
};

struct fuse_request {
	uint32_t bytes; /* with this header */
	uint32_t operation;
	uint64_t unique;
	uint64_t node;
	uint32_t uid, gid, pid;
	uint32_t reserved;
};

struct fuse_reply {
	uint32_t bytes; /* with this header */
	int32_t error;  /* 0, or -E; then nothing follows */
	uint64_t unique;
};

struct fuse_attributes {
	uint64_t inode, size, blocks;
	uint64_t atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns;
	uint32_t mode, nlink, uid, gid, rdev, block_bytes, flags;
};

struct fuse_entry_reply {
	uint64_t node;
	uint64_t generation;
	uint64_t entry_valid, attributes_valid; /* seconds */
	uint32_t entry_valid_ns, attributes_valid_ns;
	struct fuse_attributes attributes;
};

struct fuse_attributes_reply {
	uint64_t valid;
	uint32_t valid_ns;
	uint32_t reserved;
	struct fuse_attributes attributes;
};

struct fuse_forget {
	uint64_t lookups;
};

struct fuse_batch_forget {
	uint32_t count;
	uint32_t reserved;
};

struct fuse_forget_one {
	uint64_t node;
	uint64_t lookups;
};

#define FUSE_GETATTR_HANDLE 1u

struct fuse_getattr {
	uint32_t flags;
	uint32_t reserved;
	uint64_t handle;
};

enum fuse_set {
	FUSE_SET_MODE = 1 << 0,
	FUSE_SET_UID = 1 << 1,
	FUSE_SET_GID = 1 << 2,
	FUSE_SET_SIZE = 1 << 3,
	FUSE_SET_ATIME = 1 << 4,
	FUSE_SET_MTIME = 1 << 5,
	FUSE_SET_HANDLE = 1 << 6,
	FUSE_SET_ATIME_NOW = 1 << 7,
	FUSE_SET_MTIME_NOW = 1 << 8,
	FUSE_SET_CTIME = 1 << 10,
};

struct fuse_setattr {
	uint32_t valid; /* enum fuse_set */
	uint32_t reserved;
	uint64_t handle, size, lock_owner;
	uint64_t atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns;
	uint32_t mode;
	uint32_t reserved2;
	uint32_t uid, gid;
	uint32_t reserved3;
};

struct fuse_mknod { /* then the name */
	uint32_t mode, rdev, umask;
	uint32_t reserved;
};

struct fuse_mkdir { /* then the name */
	uint32_t mode, umask;
};

struct fuse_rename { /* then the old name, the new name */
	uint64_t new_directory;
};

struct fuse_rename2 {
	uint64_t new_directory;
	uint32_t flags;
	uint32_t reserved;
};

struct fuse_link { /* then the name; the header's node is the directory */
	uint64_t target;
};

struct fuse_open {
	uint32_t flags; /* O_ flags */
	uint32_t fuse_flags;
};

struct fuse_create { /* then the name; the reply: fuse_entry_reply, fuse_open_reply */
	uint32_t flags, mode, umask, fuse_flags;
};

enum fuse_open_flags {
	FUSE_OPEN_DIRECT_IO = 1,
	FUSE_OPEN_KEEP_CACHE = 2,
	FUSE_OPEN_NO_FLUSH = 32, /* close needs no FLUSH */
};

struct fuse_open_reply {
	uint64_t handle;
	uint32_t flags; /* enum fuse_open_flags */
	uint32_t reserved;
};

struct fuse_release {
	uint64_t handle;
	uint32_t flags, release_flags;
	uint64_t lock_owner;
};

struct fuse_flush {
	uint64_t handle;
	uint64_t reserved;
	uint64_t lock_owner;
};

struct fuse_transfer { /* READ, READDIR, READDIRPLUS, and WRITE: then the data */
	uint64_t handle, offset;
	uint32_t bytes, transfer_flags;
	uint64_t lock_owner;
	uint32_t flags;
	uint32_t reserved;
};

struct fuse_write_reply { /* of COPY_FILE_RANGE too */
	uint32_t bytes;
	uint32_t reserved;
};

struct fuse_statfs_reply {
	uint64_t blocks, free_blocks, available_blocks, files, free_files;
	uint32_t block_bytes, name_bytes, fragment_bytes;
	uint32_t reserved[7];
};

#define FUSE_FSYNC_DATA 1u

struct fuse_fsync {
	uint64_t handle;
	uint32_t flags;
	uint32_t reserved;
};

struct fuse_setxattr { /* then the name, the value */
	uint32_t bytes;
	uint32_t flags; /* XATTR_CREATE, XATTR_REPLACE */
};

struct fuse_getxattr {  /* and LISTXATTR; then the name */
	uint32_t bytes; /* 0: asks for the size, in a struct fuse_getxattr */
	uint32_t reserved;
};

enum fuse_init_flags {
	FUSE_ASYNC_READ = 1 << 0,
	FUSE_ATOMIC_O_TRUNC = 1 << 3,
	FUSE_BIG_WRITES = 1 << 5,
	FUSE_DONT_MASK = 1 << 6, /* modes come with the umask applied */
	FUSE_AUTO_INVAL_DATA = 1 << 12,
	FUSE_DO_READDIRPLUS = 1 << 13,
	FUSE_WRITEBACK_CACHE = 1 << 16,
	FUSE_PARALLEL_DIROPS = 1 << 18,
	FUSE_MAX_PAGES = 1 << 22,
};

struct fuse_init {
	uint32_t major, minor, max_readahead, flags;
	uint32_t flags2;
	uint32_t reserved[11];
};

struct fuse_init_reply {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write;
	uint32_t time_granularity;
	uint16_t max_pages, map_alignment;
	uint32_t flags2;
	uint32_t reserved[7];
};

#define FUSE_INIT_OLD_BYTES 16 /* of the request before 7.36 */

struct fuse_fallocate {
	uint64_t handle, offset, bytes;
	uint32_t mode;
	uint32_t reserved;
};

struct fuse_lseek {
	uint64_t handle, offset;
	uint32_t whence;
	uint32_t reserved;
};

struct fuse_lseek_reply {
	uint64_t offset;
};

struct fuse_copy_file_range { /* the header's node is the source */
	uint64_t handle_in, offset_in;
	uint64_t node_out, handle_out, offset_out;
	uint64_t bytes, flags;
};

/* In replies to READDIR; READDIRPLUS has a fuse_entry_reply in front of each. Padded to 8. */
struct fuse_dirent {
	uint64_t inode;
	uint64_t next; /* offset of the entry after this one */
	uint32_t name_bytes;
	uint32_t type; /* DT_ */
	char name[];
};

_Static_assert(sizeof(struct fuse_request) == 40, "FUSE layout");
_Static_assert(sizeof(struct fuse_reply) == 16, "FUSE layout");
_Static_assert(sizeof(struct fuse_attributes) == 88, "FUSE layout");
_Static_assert(sizeof(struct fuse_entry_reply) == 128, "FUSE layout");
_Static_assert(sizeof(struct fuse_attributes_reply) == 104, "FUSE layout");
_Static_assert(sizeof(struct fuse_setattr) == 88, "FUSE layout");
_Static_assert(sizeof(struct fuse_transfer) == 40, "FUSE layout");
_Static_assert(sizeof(struct fuse_statfs_reply) == 80, "FUSE layout");
_Static_assert(sizeof(struct fuse_init) == 64, "FUSE layout");
_Static_assert(sizeof(struct fuse_init_reply) == 64, "FUSE layout");
_Static_assert(sizeof(struct fuse_copy_file_range) == 56, "FUSE layout");
_Static_assert(offsetof(struct fuse_dirent, name) == 24, "FUSE layout");

#endif
