# All of the room: one file an idea.
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/block/*.c)))

UNIT_TESTS += kernel/block/block_test
kernel/block/block_test_SOURCES := kernel/block/block.c arch/host/fake_heap.c \
	arch/host/fake_relax.c arch/host/fake_threads.c
