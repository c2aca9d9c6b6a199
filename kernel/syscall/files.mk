# All of the room: one file a subject, so that subjects never meet in this list.
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/syscall/*.c)))

SIGNAL_SOURCES := kernel/syscall/signal_deliver.c kernel/syscall/signal_frame.c \
	kernel/signal/queue.c kernel/signal/signal.c kernel/sched/wait.c kernel/mm/uaccess.c \
	arch/host/fake_heap.c arch/host/fake_log.c arch/host/fake_relax.c \
	arch/host/fake_threads.c arch/host/fake_user_access.c arch/host/fake_vector.c

UNIT_TESTS += kernel/syscall/signal_frame_test
kernel/syscall/signal_frame_test_SOURCES := $(SIGNAL_SOURCES)

IDENTITY_SOURCES := $(SIGNAL_SOURCES) kernel/syscall/signal.c kernel/syscall/identity.c \
	kernel/syscall/rlimit.c kernel/credentials.c

UNIT_TESTS += kernel/syscall/signal_call_test
kernel/syscall/signal_call_test_SOURCES := $(IDENTITY_SOURCES)

UNIT_TESTS += kernel/syscall/trace_test
kernel/syscall/trace_test_SOURCES := kernel/syscall/trace.c kernel/syscall/error_names.c \
	lib/format.c kernel/mm/uaccess.c arch/host/fake_log.c arch/host/fake_threads.c \
	arch/host/fake_user_access.c

UNIT_TESTS += kernel/syscall/dispatch_test
kernel/syscall/dispatch_test_SOURCES := kernel/syscall/dispatch.c arch/host/fake_log.c \
	arch/host/fake_threads.c

FUZZERS += kernel/syscall/signal_frame_fuzz kernel/syscall/calls_fuzz
kernel/syscall/signal_frame_fuzz_SOURCES := $(SIGNAL_SOURCES)
kernel/syscall/calls_fuzz_SOURCES := $(IDENTITY_SOURCES)
