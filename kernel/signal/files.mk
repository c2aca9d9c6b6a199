KERNEL_SOURCES += kernel/signal/queue.c kernel/signal/signal.c

UNIT_TESTS += kernel/signal/queue_test
kernel/signal/queue_test_SOURCES := kernel/signal/queue.c arch/host/fake_heap.c

UNIT_TESTS += kernel/signal/signal_test
kernel/signal/signal_test_SOURCES := kernel/signal/queue.c kernel/signal/signal.c \
	kernel/sched/wait.c arch/host/fake_heap.c arch/host/fake_log.c arch/host/fake_relax.c \
	arch/host/fake_threads.c
