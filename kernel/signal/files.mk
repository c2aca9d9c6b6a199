KERNEL_SOURCES += kernel/signal/queue.c kernel/signal/signal.c
