// Network interfaces as programs learn about them: package net (netlink), requests of
// netdevice(7), netlink itself, /proc/net.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

var failed bool

func check(ok bool, format string, arguments ...any) {
	if !ok {
		failed = true
		fmt.Printf("FAILED "+format+"\n", arguments...)
	}
}

func interfaces() {
	list, err := net.Interfaces()
	check(err == nil, "Interfaces: %v", err)
	check(len(list) > 0 && list[0].Name == "lo" && list[0].Index == 1 && list[0].MTU == 65536, "Interfaces: %+v", list)
	lo, err := net.InterfaceByName("lo")
	check(err == nil, "InterfaceByName: %v", err)
	if err != nil {
		return
	}
	check(lo.Flags&(net.FlagUp|net.FlagLoopback|net.FlagRunning) == net.FlagUp|net.FlagLoopback|net.FlagRunning, "flags %v", lo.Flags)
	addresses, err := lo.Addrs()
	check(err == nil, "Addrs: %v", err)
	check(strings.Contains(fmt.Sprint(addresses), "127.0.0.1/8"), "addresses of lo: %v", addresses)
	check(strings.Contains(fmt.Sprint(addresses), "::1/128"), "addresses of lo: %v", addresses)
	all, err := net.InterfaceAddrs()
	check(err == nil && len(all) >= 2, "InterfaceAddrs: %v %v", all, err)
	_, err = lo.MulticastAddrs()
	check(err == nil, "MulticastAddrs: %v", err)
	_, err = net.InterfaceByIndex(99999)
	check(err != nil, "an interface 99999")
}

type request struct {
	name  [16]byte
	value [24]byte
}

func ioctl(fd int, which uintptr, name string, r *request) error {
	copy(r.name[:], name)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), which, uintptr(unsafe.Pointer(r)))
	if errno != 0 {
		return errno
	}
	return nil
}

func requests() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	check(err == nil, "socket: %v", err)
	defer syscall.Close(fd)
	var r request
	number := func() int32 { return *(*int32)(unsafe.Pointer(&r.value)) }
	err = ioctl(fd, syscall.SIOCGIFINDEX, "lo", &r)
	check(err == nil && number() == 1, "index: %d %v", number(), err)
	err = ioctl(fd, syscall.SIOCGIFMTU, "lo", &r)
	check(err == nil && number() == 65536, "MTU: %d %v", number(), err)
	err = ioctl(fd, syscall.SIOCGIFADDR, "lo", &r)
	check(err == nil && r.value[4] == 127 && r.value[7] == 1, "address: %v %v", r.value, err)
	err = ioctl(fd, syscall.SIOCGIFNETMASK, "lo", &r)
	check(err == nil && r.value[4] == 255 && r.value[5] == 0, "mask: %v %v", r.value, err)
	err = ioctl(fd, syscall.SIOCGIFINDEX, "nowhere0", &r)
	check(err == syscall.ENODEV, "no device: %v", err)
	var buffer [10]request
	conf := struct {
		bytes   int32
		padding int32
		buffer  *request
	}{int32(unsafe.Sizeof(buffer)), 0, &buffer[0]}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCGIFCONF, uintptr(unsafe.Pointer(&conf)))
	check(errno == 0 && conf.bytes >= 40 && string(buffer[0].name[:2]) == "lo", "SIOCGIFCONF: %d %v", conf.bytes, errno)
}

func netlink() {
	for _, kind := range []int{syscall.RTM_GETLINK, syscall.RTM_GETADDR, syscall.RTM_GETROUTE, syscall.RTM_GETNEIGH} {
		data, err := syscall.NetlinkRIB(kind, syscall.AF_UNSPEC)
		check(err == nil, "dump %d: %v", kind, err)
		messages, err := syscall.ParseNetlinkMessage(data)
		check(err == nil && len(messages) > 0, "dump %d: %d messages, %v", kind, len(messages), err)
		if len(messages) > 0 {
			check(messages[len(messages)-1].Header.Type == syscall.NLMSG_DONE, "dump %d does not end", kind)
		}
	}
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	check(err == nil, "netlink: %v", err)
	defer syscall.Close(fd)
	check(syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1}) == nil, "groups")
	ask := [32]byte{0: 32, 4: syscall.RTM_GETLINK, 6: syscall.NLM_F_REQUEST, 8: 7, 20: 0x9f, 21: 0x86, 22: 1}
	check(syscall.Sendto(fd, ask[:], 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}) == nil, "send")
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, answer, 0)
	check(err == nil && n >= 36, "receive: %d %v", n, err)
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	check(err == nil && len(messages) == 1 && messages[0].Header.Type == syscall.NLMSG_ERROR, "answer: %v %v", messages, err)
	if len(messages) == 1 {
		check(-*(*int32)(unsafe.Pointer(&messages[0].Data[0])) == int32(syscall.ENODEV), "error: %v", messages[0].Data[:4])
	}
}

func files() {
	for file, text := range map[string]string{
		"/proc/net/dev":                          "lo:",
		"/proc/net/if_inet6":                     "00000000000000000000000000000001 01 80 10 80",
		"/proc/net/igmp":                         "lo",
		"/proc/net/route":                        "Iface",
		"/proc/net/udp":                          "local_address",
		"/proc/net/tcp":                          "local_address",
		"/proc/net/tcp6":                         "local_address",
		"/proc/net/arp":                          "HW address",
		"/proc/net/sockstat":                     "sockets: used",
		"/proc/sys/net/core/somaxconn":           "4096",
		"/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
		"/sys/class/net/lo/mtu":                  "65536",
	} {
		data, err := os.ReadFile(file)
		check(err == nil && strings.Contains(string(data), text), "%s: %q %v", file, data, err)
	}
}

// groups are listed while somebody is a member.
func groups() {
	lo, err := net.InterfaceByName("lo")
	check(err == nil, "lo: %v", err)
	for network, group := range map[string]string{"udp4": "239.7.7.7", "udp6": "ff02::7:7"} {
		listed := func() string {
			addresses, err := lo.MulticastAddrs()
			check(err == nil, "MulticastAddrs: %v", err)
			return fmt.Sprint(addresses)
		}
		check(!strings.Contains(listed(), group), "%s before", group)
		conn, err := net.ListenMulticastUDP(network, lo, &net.UDPAddr{IP: net.ParseIP(group), Port: 7777})
		check(err == nil, "join %s: %v", group, err)
		if err == nil {
			check(strings.Contains(listed(), group), "%s is missing: %s", group, listed())
			conn.Close()
		}
		check(!strings.Contains(listed(), group), "%s afterwards", group)
	}
}

func main() {
	interfaces()
	groups()
	requests()
	netlink()
	files()
	if failed {
		os.Exit(1)
	}
	fmt.Println("passed")
}
