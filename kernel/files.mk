KERNEL_SOURCES += kernel/credentials.c kernel/fault.c kernel/init.c kernel/log.c kernel/panic.c kernel/process.c \
	kernel/random.c kernel/system_name.c
UNIT_TESTS += kernel/random_test
kernel/random_test_SOURCES := kernel/random.c arch/host/fake_relax.c

UNIT_TESTS += kernel/fault_test
kernel/fault_test_SOURCES := kernel/fault.c kernel/signal/signal.c kernel/signal/queue.c \
	kernel/sched/wait.c arch/host/fake_heap.c arch/host/fake_log.c arch/host/fake_relax.c \
	arch/host/fake_threads.c
