KERNEL_SOURCES += arch/x86_64/cpu.c arch/x86_64/entry.S arch/x86_64/lapic.c arch/x86_64/thread.c arch/x86_64/trap.c
KERNEL_SOURCES += arch/x86_64/fault_address.c
UNIT_TESTS += arch/x86_64/fault_address_test
arch/x86_64/fault_address_test_SOURCES := arch/x86_64/fault_address.c
