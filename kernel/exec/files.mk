KERNEL_SOURCES += kernel/exec/exec.c kernel/exec/load.c kernel/exec/sites.c \
	kernel/exec/stack.c kernel/exec/vdso.c
