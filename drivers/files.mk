# All of the room: one file an idea, so that subjects never meet in this list.
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard drivers/*.c)))

UNIT_TESTS += drivers/virtio_ring_test
drivers/virtio_ring_test_SOURCES := drivers/virtio_ring.c

UNIT_TESTS += drivers/pci_test
drivers/pci_test_SOURCES := drivers/pci.c drivers/virtio_pci.c

UNIT_TESTS += drivers/console_test
drivers/console_test_SOURCES := drivers/console_control.c drivers/console_input.c \
	drivers/console_output.c drivers/pci.c drivers/virtio_device.c drivers/virtio_mmio.c \
	drivers/virtio_pci.c drivers/virtio_ring.c kernel/mm/page_alloc.c kernel/mm/uaccess.c kernel/mm/uio.c \
	kernel/sched/mutex.c kernel/sched/wait.c arch/host/fake_heap.c \
	arch/host/fake_memory.c arch/host/fake_panic.c arch/host/fake_threads.c \
	arch/host/fake_user_access.c

VIRTIO_NET_TEST_SOURCES := drivers/net_buffer.c drivers/virtio_net_receive.c \
	drivers/virtio_net_transmit.c drivers/virtio_ring.c kernel/net/packet.c kernel/mm/uio.c \
	kernel/mm/uaccess.c arch/host/fake_heap.c arch/host/fake_relax.c \
	arch/host/fake_user_access.c

UNIT_TESTS += drivers/virtio_net_test
drivers/virtio_net_test_SOURCES := $(VIRTIO_NET_TEST_SOURCES)

FUZZERS += drivers/virtio_ring_fuzz drivers/console_fuzz drivers/virtio_net_fuzz
drivers/virtio_net_fuzz_SOURCES := $(VIRTIO_NET_TEST_SOURCES)
drivers/virtio_ring_fuzz_SOURCES := drivers/virtio_ring.c
drivers/console_fuzz_SOURCES := drivers/console_control.c

VIRTIO_BLOCK_TEST_SOURCES := drivers/virtio_block_queue.c drivers/virtio_ring.c \
	arch/host/fake_relax.c
UNIT_TESTS += drivers/virtio_block_test
drivers/virtio_block_test_SOURCES := $(VIRTIO_BLOCK_TEST_SOURCES)
FUZZERS += drivers/virtio_block_fuzz
drivers/virtio_block_fuzz_SOURCES := $(VIRTIO_BLOCK_TEST_SOURCES)
