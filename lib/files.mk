KERNEL_SOURCES += lib/string.c lib/format.c
MONITOR_SOURCES += lib/format.c
