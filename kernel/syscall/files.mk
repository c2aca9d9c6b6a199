# All of the room: one file a subject, so that subjects never meet in this list.
KERNEL_SOURCES += $(filter-out %_test.c,$(sort $(wildcard kernel/syscall/*.c)))
