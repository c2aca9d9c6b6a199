KERNEL_SOURCES += nucleus/nucleus.S
