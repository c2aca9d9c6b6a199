KERNEL_SOURCES += arch/x86_64/cpu.c arch/x86_64/entry.S arch/x86_64/thread.c arch/x86_64/trap.c
