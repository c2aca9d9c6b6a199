// Packet sockets on loopback, and socket filters: what they see of a datagram, names and types,
// frames of the program's own making, statistics, and which filters are refused.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"burrow/tests/check"
)

const (
	solPacket      = 263
	packetStats    = 6
	packetAuxdata  = 8
	ignoreOutgoing = 23
	lockFilter     = 44
)

func swap(v uint16) uint16 { return v<<8 | v>>8 }

func open(kind int, protocol uint16) int {
	fd, err := syscall.Socket(syscall.AF_PACKET, kind|syscall.SOCK_CLOEXEC, int(swap(protocol)))
	if err == syscall.EPERM {
		fmt.Println("ok") // natively, without root
		os.Exit(0)
	}
	check.NoError("socket", err)
	timeout := syscall.Timeval{Usec: 300000}
	check.NoError("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout))
	return fd
}

func bind(fd, index int, protocol uint16) error {
	return syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: swap(protocol), Ifindex: index})
}

type option struct {
	fd, level, name int
}

func (o option) set(value unsafe.Pointer, bytes uintptr) syscall.Errno {
	_, _, errno := syscall.Syscall6(syscall.SYS_SETSOCKOPT, uintptr(o.fd), uintptr(o.level), uintptr(o.name), uintptr(value), bytes, 0)
	return errno
}

func attach(fd int, program ...syscall.SockFilter) syscall.Errno {
	given := syscall.SockFprog{Len: uint16(len(program))}
	if len(program) > 0 {
		given.Filter = &program[0]
	}
	return option{fd, syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER}.set(unsafe.Pointer(&given), unsafe.Sizeof(given))
}

func stmt(code uint16, k uint32) syscall.SockFilter {
	return syscall.SockFilter{Code: code, K: k}
}

func jump(code uint16, k uint32, yes, no uint8) syscall.SockFilter {
	return syscall.SockFilter{Code: code, K: k, Jt: yes, Jf: no}
}

// onlyPort lets UDP over IPv4 to a port through; `link` is where IP begins.
func onlyPort(link, port uint32, keep uint32) []syscall.SockFilter {
	return []syscall.SockFilter{
		stmt(syscall.BPF_LD|syscall.BPF_B|syscall.BPF_ABS, link+9),
		jump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, 17, 0, 5),
		stmt(syscall.BPF_LDX|syscall.BPF_B|syscall.BPF_MSH, link),
		stmt(syscall.BPF_LD|syscall.BPF_H|syscall.BPF_IND, link+2),
		jump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, port, 0, 2),
		stmt(syscall.BPF_LD|syscall.BPF_W|syscall.BPF_LEN, 0),
		stmt(syscall.BPF_RET|syscall.BPF_K, keep),
		stmt(syscall.BPF_RET|syscall.BPF_K, 0),
	}
}

func receive(fd int, what string) ([]byte, *syscall.SockaddrLinklayer) {
	buffer := make([]byte, 70000)
	n, from, err := syscall.Recvfrom(fd, buffer, 0)
	check.NoError(what, err)
	return buffer[:n], from.(*syscall.SockaddrLinklayer)
}

func nothing(fd int, what string) {
	_, _, err := syscall.Recvfrom(fd, make([]byte, 100), 0)
	check.Equal(what, err, syscall.EAGAIN)
}

// sees checks what sockets of both types get of one datagram over loopback.
func sees(lo *net.Interface) {
	raw, cooked, ip := open(syscall.SOCK_RAW, 0), open(syscall.SOCK_DGRAM, 0), open(syscall.SOCK_DGRAM, 0)
	target, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check.NoError("listen", err)
	defer target.Close()
	port := uint32(target.LocalAddr().(*net.UDPAddr).Port)
	check.Equal("attach", attach(raw, onlyPort(14, port, 0xffff)...), syscall.Errno(0))
	check.Equal("attach", attach(cooked, onlyPort(0, port, 30)...), syscall.Errno(0))
	check.Equal("attach", attach(ip, onlyPort(0, port, 0xffff)...), syscall.Errno(0))
	check.NoError("bind", bind(raw, lo.Index, syscall.ETH_P_ALL))
	check.NoError("bind", bind(cooked, lo.Index, syscall.ETH_P_ALL))
	check.NoError("bind", bind(ip, 0, syscall.ETH_P_IP))

	source, err := net.DialUDP("udp4", nil, target.LocalAddr().(*net.UDPAddr))
	check.NoError("dial", err)
	defer source.Close()
	source.Write([]byte("captured"))
	for _, kind := range []uint8{syscall.PACKET_OUTGOING, syscall.PACKET_HOST} {
		frame, from := receive(raw, "raw")
		check.Equal("bytes", len(frame), 14+20+8+8)
		check.Equal("Ethernet type", binary.BigEndian.Uint16(frame[12:]), uint16(syscall.ETH_P_IP))
		check.Equal("payload", string(frame[42:]), "captured")
		check.Equal("packet type", from.Pkttype, kind)
		check.Equal("index", from.Ifindex, lo.Index)
		check.Equal("hardware type", from.Hatype, uint16(772))
		check.Equal("protocol", from.Protocol, swap(syscall.ETH_P_IP))
		check.Equal("address length", from.Halen, uint8(6))
		datagram, from := receive(cooked, "cooked")
		check.Equal("bytes that the filter keeps", len(datagram), 30)
		check.Equal("IP version", datagram[0], byte(0x45))
		check.Equal("packet type", from.Pkttype, kind)
	}
	// A socket of one protocol gets what comes in only.
	datagram, from := receive(ip, "ETH_P_IP")
	check.Equal("payload", string(datagram[28:]), "captured")
	check.Equal("packet type", from.Pkttype, uint8(syscall.PACKET_HOST))
	nothing(ip, "a second")

	var stats [2]uint32
	size := uint32(8)
	_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(raw), solPacket, packetStats,
		uintptr(unsafe.Pointer(&stats)), uintptr(unsafe.Pointer(&size)), 0)
	check.Equal("PACKET_STATISTICS", errno, syscall.Errno(0))
	check.Equal("packets", stats, [2]uint32{2, 0})

	check.NoError("PACKET_IGNORE_OUTGOING", syscall.SetsockoptInt(raw, solPacket, ignoreOutgoing, 1))
	check.NoError("PACKET_AUXDATA", syscall.SetsockoptInt(raw, solPacket, packetAuxdata, 1))
	source.Write([]byte("again"))
	buffer, control := make([]byte, 20), make([]byte, 200)
	n, cn, flags, _, err := syscall.Recvmsg(raw, buffer, control, syscall.MSG_TRUNC)
	check.NoError("recvmsg", err)
	check.Equal("whole length", n, 14+28+5)
	check.That(flags&syscall.MSG_TRUNC != 0, "no MSG_TRUNC")
	messages, err := syscall.ParseSocketControlMessage(control[:cn])
	check.That(err == nil && len(messages) == 1 && messages[0].Header.Type == packetAuxdata, "auxdata: %v %v", messages, err)
	check.Equal("its length", binary.LittleEndian.Uint32(messages[0].Data[4:]), uint32(14+28+5))
	check.Equal("where IP begins", binary.LittleEndian.Uint16(messages[0].Data[14:]), uint16(14))
	nothing(raw, "outgoing ignored")

	name, err := syscall.Getsockname(raw)
	check.NoError("getsockname", err)
	ll := name.(*syscall.SockaddrLinklayer)
	check.That(ll.Ifindex == lo.Index && ll.Protocol == swap(syscall.ETH_P_ALL) && ll.Hatype == 772 && ll.Halen == 6, "name %+v", ll)
	for _, fd := range []int{raw, cooked, ip} {
		syscall.Close(fd)
	}
}

func sum(bytes []byte) uint16 {
	total := uint32(0)
	for i := 0; i+1 < len(bytes); i += 2 {
		total += uint32(bytes[i])<<8 | uint32(bytes[i+1])
	}
	for total>>16 != 0 {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}

func udp(port int, payload string) []byte {
	packet := make([]byte, 28, 28+len(payload))
	packet = append(packet, payload...)
	packet[0], packet[8], packet[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	copy(packet[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(packet[10:], sum(packet[:20]))
	binary.BigEndian.PutUint16(packet[20:], 4000)
	binary.BigEndian.PutUint16(packet[22:], uint16(port))
	binary.BigEndian.PutUint16(packet[24:], uint16(8+len(payload)))
	return packet
}

// sends frames whose every byte is the program's. (Linux does not hand them to a socket on
// 127.0.0.1, "martians" to it: another packet socket looks at what arrives.)
func sends(lo *net.Interface) {
	const port = 4001
	raw, cooked, watcher := open(syscall.SOCK_RAW, 0), open(syscall.SOCK_DGRAM, 0), open(syscall.SOCK_DGRAM, 0)
	defer syscall.Close(raw)
	defer syscall.Close(cooked)
	defer syscall.Close(watcher)
	check.Equal("attach", attach(watcher, onlyPort(0, port, 0xffff)...), syscall.Errno(0))
	check.NoError("bind", bind(watcher, lo.Index, syscall.ETH_P_IP))
	to := &syscall.SockaddrLinklayer{Ifindex: lo.Index, Protocol: swap(syscall.ETH_P_IP), Halen: 6}
	frame := append(make([]byte, 12), 8, 0)
	for _, c := range []struct {
		fd   int
		data []byte
		want string
	}{{raw, append(frame, udp(port, "a frame")...), "a frame"}, {cooked, udp(port, "a packet"), "a packet"}} {
		check.NoError("sendto", syscall.Sendto(c.fd, c.data, 0, to))
		datagram, from := receive(watcher, "receive")
		check.Equal("payload", string(datagram[28:]), c.want)
		check.Equal("packet type", from.Pkttype, uint8(syscall.PACKET_HOST))
		nothing(c.fd, "what it sent itself")
	}
	check.Equal("no such device", syscall.Sendto(raw, frame, 0, &syscall.SockaddrLinklayer{Ifindex: 9999}), error(syscall.ENXIO))
	check.Equal("less than a header", syscall.Sendto(raw, frame[:3], 0, to), error(syscall.EINVAL))
	check.Equal("bind to no device", bind(raw, 9999, syscall.ETH_P_ALL), error(syscall.ENODEV))
}

func filters() {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check.NoError("listen", err)
	defer conn.Close()
	file, err := conn.File()
	check.NoError("file", err)
	fd := int(file.Fd())
	accept, drop := stmt(syscall.BPF_RET|syscall.BPF_K, 0xffff), stmt(syscall.BPF_RET|syscall.BPF_K, 0)
	long := make([]syscall.SockFilter, 4097)
	for i := range long {
		long[i] = accept
	}
	for name, program := range map[string][]syscall.SockFilter{
		"empty":             {},
		"no end":            {stmt(syscall.BPF_LD|syscall.BPF_IMM, 1)},
		"too long":          long,
		"jump too far":      {jump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, 1, 0, 1), accept},
		"jump far":          {stmt(syscall.BPF_JMP|syscall.BPF_JA, 0xffffffff), accept},
		"division by zero":  {stmt(syscall.BPF_ALU|syscall.BPF_DIV|syscall.BPF_K, 0), accept},
		"shift":             {stmt(syscall.BPF_ALU|syscall.BPF_LSH|syscall.BPF_K, 32), accept},
		"memory":            {stmt(syscall.BPF_ST, 16), accept},
		"not stored":        {stmt(syscall.BPF_LD|syscall.BPF_MEM, 0), accept},
		"no such operation": {stmt(0xffff, 0), accept},
	} {
		check.Equal(name, attach(fd, program...), syscall.EINVAL)
	}
	check.Equal("nothing to detach", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0), error(syscall.ENOENT))

	// Sees UDP's header: lets odd lengths through, by arithmetic on stored words.
	program := []syscall.SockFilter{
		stmt(syscall.BPF_LD|syscall.BPF_H|syscall.BPF_ABS, 4),
		stmt(syscall.BPF_ST, 3),
		stmt(syscall.BPF_LDX|syscall.BPF_MEM, 3),
		stmt(syscall.BPF_LD|syscall.BPF_IMM, 1),
		stmt(syscall.BPF_ALU|syscall.BPF_AND|syscall.BPF_X, 0),
		jump(syscall.BPF_JMP|syscall.BPF_JSET|syscall.BPF_K, 1, 0, 1),
		accept, drop,
	}
	check.Equal("attach", attach(fd, program...), syscall.Errno(0))
	address := conn.LocalAddr().(*net.UDPAddr)
	for _, text := range []string{"even", "odd", "more", "again"} {
		_, err = conn.WriteToUDP([]byte(text), address)
		check.NoError("send", err)
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 100)
	for _, want := range []string{"odd", "again"} {
		n, err := conn.Read(buffer)
		check.NoError("receive", err)
		check.Equal("let through", string(buffer[:n]), want)
	}
	check.NoError("lock", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, lockFilter, 1))
	check.Equal("locked", attach(fd, accept), syscall.EPERM)
	check.Equal("unlock", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, lockFilter, 0), error(syscall.EPERM))
	file.Close()
}

// ioctls about interfaces are answered by every kind of socket.
func ioctls(lo *net.Interface) {
	for _, s := range [][2]int{
		{syscall.AF_UNIX, syscall.SOCK_STREAM}, {syscall.AF_INET, syscall.SOCK_STREAM}, {syscall.AF_INET6, syscall.SOCK_DGRAM},
		{syscall.AF_NETLINK, syscall.SOCK_RAW}, {syscall.AF_PACKET, syscall.SOCK_RAW},
	} {
		fd, err := syscall.Socket(s[0], s[1], 0)
		check.NoError("socket", err)
		var request struct {
			name  [16]byte
			index int32
			rest  [20]byte
		}
		copy(request.name[:], lo.Name)
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCGIFINDEX, uintptr(unsafe.Pointer(&request)))
		check.Equal("SIOCGIFINDEX", errno, syscall.Errno(0))
		check.Equal("index", int(request.index), lo.Index)
		syscall.Close(fd)
	}
}

func main() {
	lo, err := net.InterfaceByName("lo")
	check.NoError("lo", err)
	sees(lo)
	sends(lo)
	filters()
	ioctls(lo)
	check.OK()
}
