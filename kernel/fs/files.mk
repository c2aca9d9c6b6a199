# All of the room: one file an idea, so that subjects never meet in this list.
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/fs/*.c)))

STORAGE_SOURCES := kernel/fs/cached_file.c kernel/fs/cached_mapping.c kernel/fs/cached_pages.c \
	kernel/fs/direct_io.c kernel/fs/mount.c kernel/fs/reclaim.c kernel/fs/storage_directory.c \
	kernel/fs/storage_node.c kernel/fs/write_back.c
FS_SOURCES := kernel/fs/attributes.c kernel/fs/cpio.c kernel/fs/directory.c kernel/fs/fd_table.c \
	kernel/fs/file.c kernel/fs/file_lock.c kernel/fs/image_tree.c kernel/fs/inotify.c kernel/fs/memfs.c \
	kernel/fs/memory_file.c kernel/fs/names.c kernel/fs/open.c kernel/fs/page_cache.c \
	kernel/fs/path.c kernel/fs/tree.c kernel/fs/tree_fill.c kernel/fs/vnode.c kernel/fs/xattr.c \
	$(STORAGE_SOURCES)
FS_PEERS := kernel/mm/page_alloc.c kernel/mm/uaccess.c kernel/mm/uio.c kernel/sched/device_poll.c \
	kernel/sched/mutex.c \
	kernel/sched/wait.c lib/erofs.c lib/format.c arch/host/fake_fs_peers.c arch/host/fake_fs_sched.c \
	arch/host/fake_heap.c \
	arch/host/fake_log.c arch/host/fake_memory.c arch/host/fake_panic.c \
	arch/host/fake_relax.c arch/host/fake_threads.c arch/host/fake_tree.c \
	arch/host/fake_user_access.c
FS_CALLS := kernel/syscall/file_attributes.c kernel/syscall/file_control.c \
	kernel/syscall/file_io.c kernel/syscall/file_names.c kernel/syscall/file_open.c \
	kernel/syscall/file_space.c kernel/syscall/file_xattr.c kernel/syscall/user_path.c \
	kernel/syscall/user_vector.c

UNIT_TESTS += kernel/fs/differential_test
kernel/fs/differential_test_SOURCES := $(FS_SOURCES) $(FS_CALLS) $(FS_PEERS) \
	arch/host/test_mount_memory.c

UNIT_TESTS += kernel/fs/storage_differential_test
kernel/fs/storage_differential_test_SOURCES := $(FS_SOURCES) $(FS_CALLS) $(FS_PEERS) \
	arch/host/test_mount_toy.c arch/host/toy_sleep.c arch/host/toy_storage.c

UNIT_TESTS += kernel/fs/storage_test
kernel/fs/storage_test_SOURCES := $(FS_SOURCES) $(FS_CALLS) $(FS_PEERS) arch/host/toy_sleep.c arch/host/toy_storage.c

UNIT_TESTS += kernel/fs/storage_race_test
# Not := since SCHED_TEST_SOURCES is read later.
kernel/fs/storage_race_test_SOURCES = $(FS_SOURCES) $(SCHED_TEST_SOURCES) kernel/mm/page_alloc.c \
	kernel/mm/uio.c lib/erofs.c lib/format.c arch/host/fake_fs_peers.c arch/host/fake_log.c \
	arch/host/fake_memory.c arch/host/toy_storage.c

UNIT_TESTS += kernel/fs/fd_table_test kernel/fs/path_test
kernel/fs/fd_table_test_SOURCES := $(FS_SOURCES) $(FS_PEERS)
kernel/fs/path_test_SOURCES := $(FS_SOURCES) $(FS_PEERS)

FUZZERS += kernel/fs/cpio_fuzz
kernel/fs/cpio_fuzz_SOURCES := $(FS_SOURCES) $(FS_PEERS)
# What the kinds of file that make events are tested with.
EVENT_PEERS := kernel/mm/uaccess.c kernel/mm/uio.c arch/host/fake_files.c \
	arch/host/fake_panic.c arch/host/fake_user_access.c

UNIT_TESTS += kernel/fs/pipe_test
kernel/fs/pipe_test_SOURCES := kernel/fs/pipe.c kernel/fs/pipe_buffer.c kernel/fs/splice.c \
	kernel/fs/stream.c kernel/sched/mutex.c kernel/sched/wait.c arch/host/fake_heap.c \
	arch/host/fake_relax.c arch/host/fake_threads.c $(EVENT_PEERS)

UNIT_TESTS += kernel/fs/epoll_test
kernel/fs/epoll_test_SOURCES := kernel/fs/epoll.c kernel/fs/eventfd.c kernel/fs/poll.c \
	kernel/sched/device_poll.c kernel/sched/mutex.c kernel/sched/wait.c arch/host/fake_heap.c arch/host/fake_relax.c \
	arch/host/fake_threads.c $(EVENT_PEERS)

UNIT_TESTS += kernel/fs/event_race_test
# Not := since SCHED_TEST_SOURCES is read later.
kernel/fs/event_race_test_SOURCES = kernel/fs/epoll.c kernel/fs/eventfd.c kernel/fs/pipe.c \
	kernel/fs/pipe_buffer.c kernel/fs/poll.c kernel/fs/splice.c kernel/fs/stream.c \
	kernel/fs/timerfd.c arch/host/fake_files.c $(SCHED_TEST_SOURCES) kernel/mm/uio.c

UNIT_TESTS += kernel/fs/timerfd_test
kernel/fs/timerfd_test_SOURCES := kernel/fs/timerfd.c kernel/sched/mutex.c kernel/sched/wait.c \
	arch/host/fake_heap.c arch/host/fake_relax.c arch/host/fake_threads.c $(EVENT_PEERS)

# ext4, on a block device in memory with images of mke2fs.
EXT4_SOURCES := $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/fs/ext4/*.c)))
KERNEL_SOURCES += $(EXT4_SOURCES)
EXT4_TEST_SOURCES := $(filter-out %/thread.c %/node.c %/pages.c,$(EXT4_SOURCES)) lib/crc32c.c lib/tree.c \
	lib/format.c kernel/mm/page_alloc.c kernel/sched/mutex.c kernel/sched/wait.c \
	arch/host/fake_block.c arch/host/fake_fs_peers.c arch/host/fake_fs_sched.c \
	arch/host/fake_heap.c arch/host/fake_log.c arch/host/fake_memory.c arch/host/fake_panic.c \
	arch/host/fake_random.c arch/host/fake_relax.c arch/host/fake_threads.c \
	arch/host/fake_volume.c

UNIT_TESTS += kernel/fs/ext4/ext4_test
kernel/fs/ext4/ext4_test_SOURCES := $(EXT4_TEST_SOURCES)

# Power cuts at any point: see EXT4_CUTS in the test.
UNIT_TESTS += kernel/fs/ext4/crash_test
kernel/fs/ext4/crash_test_SOURCES := $(EXT4_TEST_SOURCES)

FUZZERS += kernel/fs/ext4/ext4_fuzz
kernel/fs/ext4/ext4_fuzz_SOURCES := $(EXT4_TEST_SOURCES)

# Directories of the host.
FUSE_SOURCES := $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/fs/fuse/*.c)))
KERNEL_SOURCES += $(FUSE_SOURCES)

UNIT_TESTS += kernel/fs/fuse/fuse_differential_test
# Not := since FS_SERVER_SOURCES is read later.
kernel/fs/fuse/fuse_differential_test_SOURCES = $(FS_SOURCES) $(FS_CALLS) $(FS_PEERS) \
	$(FUSE_SOURCES) $(FS_SERVER_SOURCES) arch/host/test_mount_fuse.c
