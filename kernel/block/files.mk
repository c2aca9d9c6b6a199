# All of the room: one file an idea.
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/block/*.c)))
