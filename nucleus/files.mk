KERNEL_SOURCES += nucleus/nucleus.S nucleus/pvh.S
