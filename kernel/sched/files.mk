KERNEL_SOURCES += kernel/sched/clock.c kernel/sched/cpu_timer.c kernel/sched/futex.c \
	kernel/sched/idle.c kernel/sched/interval_timer.c kernel/sched/mutex.c kernel/sched/posix_timer.c kernel/sched/return.c kernel/sched/sched.c \
	kernel/sched/thread.c kernel/sched/timer.c kernel/sched/wait.c
