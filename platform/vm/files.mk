KERNEL_SOURCES += platform/vm/boot.c platform/vm/command_line.c platform/vm/exit.c platform/vm/interrupts.c platform/vm/note.S platform/vm/pages.c platform/vm/pvh.c platform/vm/startup.c
