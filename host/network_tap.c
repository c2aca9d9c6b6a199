/* Attaches to tap devices: see host/network.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "abi/virtio.h"
#include "host/network.h"
#include "host/report.h"

static _Noreturn void fail_missing(const char *name)
{
	report_fail(STATUS_TOOL_FAILED,
		"--net tap:%s: there is no such device; make it: sudo ip tuntap add dev %s mode "
		"tap user $USER && sudo ip link set %s up",
		name, name, name);
}

/* TUNSETIFF would make a device that does not exist, without an address. */
static void check_exists(const char *name)
{
	if (if_nametoindex(name) == 0)
		fail_missing(name);
}

static int open_control(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV)
		report_fail(STATUS_TOOL_FAILED,
			"--net tap:%s: there is no /dev/net/tun on this machine: sudo modprobe tun",
			name);
	report_fail(STATUS_TOOL_FAILED, "--net tap:%s: cannot open /dev/net/tun: %s", name,
		strerror(errno));
}

static void attach(int fd, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int error = 0;

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return;
	error = errno;
	/* A device made with multi_queue is attached to as such. */
	request.ifr_flags |= IFF_MULTI_QUEUE;
	if (error == EINVAL && ioctl(fd, TUNSETIFF, &request) == 0)
		return;
	if (error == EPERM)
		report_fail(STATUS_TOOL_FAILED,
			"--net tap:%s: it belongs to another user; give it to yourself: sudo ip "
			"tuntap del dev %s mode tap && sudo ip tuntap add dev %s mode tap user "
			"$USER",
			name, name, name);
	if (error == EBUSY)
		report_fail(STATUS_TOOL_FAILED, "--net tap:%s: another program uses it", name);
	if (error == EINVAL)
		report_fail(STATUS_TOOL_FAILED, "--net tap:%s: not a tap device", name);
	report_fail(STATUS_TOOL_FAILED, "--net tap:%s: %s", name, strerror(error));
}

/* Offloads are set by whoever serves the device. */
static void set_header(int fd, const char *name)
{
	int bytes = sizeof(struct virtio_net_header);

	if (ioctl(fd, TUNSETVNETHDRSZ, &bytes) != 0)
		report_fail(STATUS_TOOL_FAILED, "--net tap:%s: this kernel's taps are too old: %s",
			name, strerror(errno));
}

static void warn_if_down(const char *name)
{
	struct ifreq request = {0};
	int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (socket_fd < 0)
		return;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(socket_fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP))
		report_note("%s is down, nothing will pass: sudo ip link set %s up", name, name);
	close(socket_fd);
}

int network_tap_open(const char *name)
{
	int fd;

	check_exists(name);
	fd = open_control(name);
	attach(fd, name);
	set_header(fd, name);
	warn_if_down(name);
	return fd;
}
