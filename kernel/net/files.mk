KERNEL_SOURCES += kernel/net/packet.c kernel/net/port.c
KERNEL_SOURCES += kernel/net/net.c kernel/net/poll.c kernel/net/device.c kernel/net/loopback.c
KERNEL_SOURCES += kernel/net/resolv_conf.c
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/net/lwip/*.c)))

UNIT_TESTS += kernel/net/packet_test
kernel/net/packet_test_SOURCES := kernel/net/packet.c kernel/mm/uio.c kernel/mm/uaccess.c \
	arch/host/fake_heap.c arch/host/fake_user_access.c

UNIT_TESTS += kernel/net/port_test
kernel/net/port_test_SOURCES := kernel/net/port.c arch/host/fake_random.c

KERNEL_SOURCES += kernel/net/inet_family.c kernel/net/inet_name.c kernel/net/socket.c \
	kernel/net/socket_file.c kernel/net/socket_option.c kernel/net/unix_datagram.c \
	kernel/net/unix_collect.c kernel/net/unix_message.c kernel/net/unix_name.c kernel/net/unix_socket.c \
	kernel/net/unix_stream.c
# On TCP.
KERNEL_SOURCES += $(if $(wildcard kernel/net/tcp/*.c kernel/net/tcp.c),kernel/net/inet_stream.c \
	kernel/net/inet_stream_option.c)

UNIT_TESTS += kernel/net/poll_test
kernel/net/poll_test_SOURCES := kernel/net/poll.c kernel/sched/device_poll.c \
	arch/host/fake_relax.c

KERNEL_SOURCES += kernel/net/datagram_control.c kernel/net/datagram_group.c \
	kernel/net/datagram_option.c kernel/net/datagram_queue.c kernel/net/datagram_send.c \
	kernel/net/inet_datagram.c kernel/net/interface_ioctl.c kernel/net/netlink.c \
	kernel/net/netlink_route.c kernel/net/packet_socket.c kernel/net/proc_net.c kernel/net/socket_filter.c kernel/net/raw.c kernel/net/sntp.c \
	kernel/net/sntp_packet.c kernel/net/udp.c
KERNEL_SOURCES += $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/net/tcp/*.c)))

TCP_TEST_SOURCES := $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/net/tcp/*.c))) \
	kernel/net/packet.c kernel/net/port.c kernel/mm/uio.c kernel/mm/uaccess.c \
	kernel/sched/wait.c arch/host/fake_heap.c arch/host/fake_network.c arch/host/fake_random.c arch/host/fake_relax.c \
	arch/host/fake_threads.c arch/host/fake_user_access.c

UNIT_TESTS += kernel/net/tcp/tcp_test
kernel/net/tcp/tcp_test_SOURCES := $(TCP_TEST_SOURCES)

# lwIP's part of these comes from third_party/lwip/files.mk, which is read later.
IP_TEST_SOURCES = kernel/net/device.c kernel/net/loopback.c kernel/net/net.c kernel/net/packet.c \
	kernel/net/port.c $(filter-out %_test.c %_fuzz.c,$(sort $(wildcard kernel/net/lwip/*.c))) lib/net_config.c \
	kernel/mm/uio.c kernel/mm/uaccess.c kernel/sched/wait.c arch/host/fake_heap.c \
	arch/host/fake_link.c arch/host/fake_log.c arch/host/fake_transports.c arch/host/fake_panic.c \
	arch/host/fake_random.c arch/host/fake_relax.c arch/host/fake_threads.c \
	arch/host/fake_user_access.c $(LWIP_SOURCES)

UNIT_TESTS += kernel/net/lwip/ip_test
kernel/net/lwip/ip_test_SOURCES = $(IP_TEST_SOURCES)
kernel/net/lwip/ip_test_CFLAGS = $(LWIP_INCLUDES) $(LWIP_WARNINGS)

FUZZERS += kernel/net/lwip/input_fuzz
kernel/net/lwip/input_fuzz_SOURCES = $(IP_TEST_SOURCES)
kernel/net/lwip/input_fuzz_CFLAGS = $(LWIP_INCLUDES) $(LWIP_WARNINGS)
FUZZERS += kernel/net/tcp/tcp_fuzz
kernel/net/tcp/tcp_fuzz_SOURCES := $(TCP_TEST_SOURCES)
FUZZERS += kernel/net/socket_filter_fuzz
kernel/net/socket_filter_fuzz_SOURCES := kernel/net/socket_filter.c kernel/net/packet.c kernel/mm/uio.c \
	kernel/mm/uaccess.c arch/host/fake_heap.c arch/host/fake_random.c arch/host/fake_user_access.c
UNIT_TESTS += kernel/net/tcp/script_test
kernel/net/tcp/script_test_SOURCES := $(TCP_TEST_SOURCES)

# Sockets on the IP layer, without TCP and files.
SOCKET_TEST_SOURCES = $(filter-out arch/host/fake_transports.c,$(IP_TEST_SOURCES)) kernel/net/socket.c \
	kernel/net/socket_option.c kernel/net/socket_filter.c kernel/net/interface_ioctl.c \
	kernel/net/inet_name.c kernel/net/inet_family.c kernel/net/inet_datagram.c \
	kernel/net/datagram_control.c kernel/net/datagram_group.c kernel/net/datagram_option.c \
	kernel/net/datagram_queue.c kernel/net/datagram_send.c kernel/net/udp.c kernel/net/raw.c \
	kernel/net/netlink.c kernel/net/netlink_route.c kernel/net/packet_socket.c \
	kernel/sched/mutex.c arch/host/fake_sockets.c
FUZZERS += kernel/net/sockets_fuzz
kernel/net/sockets_fuzz_SOURCES = $(SOCKET_TEST_SOURCES)
kernel/net/sockets_fuzz_CFLAGS = $(LWIP_INCLUDES) $(LWIP_WARNINGS)

UNIT_TESTS += kernel/net/sntp_test
kernel/net/sntp_test_SOURCES := kernel/net/sntp_packet.c
