KERNEL_SOURCES += kernel/mm/page_alloc.c kernel/mm/heap.c kernel/mm/uio.c kernel/mm/uaccess.c
KERNEL_SOURCES += kernel/mm/vm_area.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c kernel/mm/vm_map.c
KERNEL_SOURCES += kernel/mm/vm_protect.c kernel/mm/vm_advise.c kernel/mm/vm_remap.c kernel/mm/vm_source.c
KERNEL_SOURCES += arch/x86_64/uaccess.S

MM_FAKES := arch/host/fake_memory.c arch/host/fake_panic.c arch/host/fake_relax.c

UNIT_TESTS += kernel/mm/page_alloc_test
kernel/mm/page_alloc_test_SOURCES := kernel/mm/page_alloc.c $(MM_FAKES)

UNIT_TESTS += kernel/mm/heap_test
kernel/mm/heap_test_SOURCES := kernel/mm/heap.c kernel/mm/page_alloc.c $(MM_FAKES)
kernel/mm/heap_test_CFLAGS := -DHEAP_CHECKS

UNIT_TESTS += kernel/mm/uio_test
kernel/mm/uio_test_SOURCES := kernel/mm/uio.c kernel/mm/uaccess.c arch/host/fake_user_access.c

UNIT_TESTS += arch/x86_64/uaccess_test
arch/x86_64/uaccess_test_SOURCES := kernel/mm/uaccess.c arch/x86_64/uaccess.S
arch/x86_64/uaccess_test_CFLAGS := -fno-pie -no-pie

VM_SOURCES := kernel/mm/vm_area.c kernel/mm/vm_pages.c kernel/mm/vm_fault.c kernel/mm/vm_map.c \
	kernel/mm/vm_protect.c kernel/mm/vm_advise.c kernel/mm/vm_remap.c kernel/mm/vm_source.c \
	kernel/mm/page_alloc.c lib/tree.c
VM_FAKES := arch/host/fake_page_table.c arch/host/fake_heap.c arch/host/fake_random.c $(MM_FAKES)

UNIT_TESTS += kernel/mm/vm_test
kernel/mm/vm_test_SOURCES := $(VM_SOURCES) $(VM_FAKES)
kernel/mm/vm_test_CFLAGS := -Wl,--wrap=page_free -Wno-missing-prototypes

UNIT_TESTS += kernel/syscall/memory_test
kernel/syscall/memory_test_SOURCES := kernel/syscall/memory.c $(VM_SOURCES) $(VM_FAKES)

FUZZERS += kernel/syscall/memory_fuzz
kernel/syscall/memory_fuzz_SOURCES := kernel/syscall/memory.c $(VM_SOURCES) $(VM_FAKES)
kernel/syscall/memory_fuzz_CFLAGS := -Wl,--wrap=page_free
