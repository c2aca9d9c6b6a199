KERNEL_SOURCES += kernel/sched/clock.c kernel/sched/cpu_timer.c kernel/sched/device_poll.c \
	kernel/sched/futex.c kernel/sched/idle.c kernel/sched/interval_timer.c kernel/sched/mutex.c kernel/sched/posix_timer.c kernel/sched/return.c kernel/sched/sched.c \
	kernel/sched/thread.c kernel/sched/timer.c kernel/sched/wait.c

SCHED_TEST_SOURCES := kernel/sched/clock.c kernel/sched/cpu_timer.c \
	kernel/sched/device_poll.c kernel/sched/futex.c \
	kernel/sched/idle.c kernel/sched/interval_timer.c kernel/sched/mutex.c \
	kernel/sched/posix_timer.c kernel/sched/return.c kernel/sched/sched.c \
	kernel/sched/thread.c kernel/sched/timer.c kernel/sched/wait.c kernel/mm/uaccess.c \
	arch/host/fake_heap.c arch/host/fake_machine.c arch/host/fake_panic.c \
	arch/host/fake_user_access.c

UNIT_TESTS += kernel/sched/sched_test
kernel/sched/sched_test_SOURCES := $(SCHED_TEST_SOURCES)

UNIT_TESTS += kernel/sched/futex_test
kernel/sched/futex_test_SOURCES := $(SCHED_TEST_SOURCES)

UNIT_TESTS += kernel/sched/interval_timer_test
kernel/sched/interval_timer_test_SOURCES := $(SCHED_TEST_SOURCES)

UNIT_TESTS += kernel/sched/clock_test
kernel/sched/clock_test_SOURCES := kernel/sched/clock.c kernel/sched/wait.c

UNIT_TESTS += kernel/sched/timer_test
kernel/sched/timer_test_SOURCES := kernel/sched/timer.c
