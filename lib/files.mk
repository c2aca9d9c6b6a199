KERNEL_SOURCES += lib/string.c lib/format.c lib/elf.c lib/syscall_sites.c
MONITOR_SOURCES += lib/format.c lib/elf.c lib/syscall_sites.c
CLI_SOURCES += lib/format.c lib/elf.c lib/syscall_sites.c
