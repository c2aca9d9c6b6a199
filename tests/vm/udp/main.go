// UDP over loopback as Go's net package and bare system calls use it: echo, connected
// sockets and their errors, large and empty datagrams, deadlines, dual stack, ancillary
// data, multicast, ping.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

var failed bool

func check(ok bool, format string, arguments ...any) {
	if !ok {
		failed = true
		fmt.Printf("FAILED "+format+"\n", arguments...)
	}
}

func must(err error, what string) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", what, err)
		os.Exit(1)
	}
}

func listen(network, address string) *net.UDPConn {
	at, err := net.ResolveUDPAddr(network, address)
	must(err, "resolve")
	conn, err := net.ListenUDP(network, at)
	must(err, "listen "+network+" "+address)
	return conn
}

func echo(server *net.UDPConn) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := server.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		server.WriteToUDP(buffer[:n], from)
	}
}

func echoes(network, address string, most int) {
	server := listen(network, address)
	defer server.Close()
	go echo(server)
	var group sync.WaitGroup
	var large sync.Mutex
	for worker := 0; worker < 4; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			client, err := net.Dial(network, server.LocalAddr().String())
			must(err, "dial")
			defer client.Close()
			client.SetDeadline(time.Now().Add(10 * time.Second))
			answer := make([]byte, 65536)
			for _, size := range []int{0, 1, 64, 1472, 1473, 9000, 65000, most} {
				if size > 9000 { // one at a time: four would not fit the server's buffer
					large.Lock()
				}
				sent := bytes.Repeat([]byte{byte(size)}, size)
				_, err := client.Write(sent)
				must(err, fmt.Sprint("write ", size))
				n, err := client.Read(answer)
				must(err, fmt.Sprint("read ", size))
				check(bytes.Equal(answer[:n], sent), "%s: %d bytes came back as %d", network, size, n)
				if size > 9000 {
					large.Unlock()
				}
			}
			_, err = client.Write(make([]byte, most+1))
			check(errors.Is(err, syscall.EMSGSIZE), "too large: %v", err)
		}()
	}
	group.Wait()
}

func refused() {
	server := listen("udp4", "127.0.0.1:0")
	address := server.LocalAddr().String()
	server.Close()
	client, err := net.Dial("udp4", address)
	must(err, "dial")
	defer client.Close()
	client.Write([]byte("x"))
	client.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = client.Read(make([]byte, 10))
	check(errors.Is(err, syscall.ECONNREFUSED), "refused: %v", err)
}

func deadlines() {
	conn := listen("udp", "127.0.0.1:0")
	defer conn.Close()
	start := time.Now()
	conn.SetReadDeadline(start.Add(30 * time.Millisecond))
	_, _, err := conn.ReadFromUDP(make([]byte, 10))
	check(errors.Is(err, os.ErrDeadlineExceeded), "deadline: %v", err)
	check(time.Since(start) >= 30*time.Millisecond, "deadline came early")
	_, err = net.ListenUDP("udp", conn.LocalAddr().(*net.UDPAddr))
	check(errors.Is(err, syscall.EADDRINUSE), "in use: %v", err)
	_, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1)})
	check(errors.Is(err, syscall.EADDRNOTAVAIL), "not available: %v", err)
}

func dualStack() {
	conn := listen("udp", ":0") // [::]
	defer conn.Close()
	port := conn.LocalAddr().(*net.UDPAddr).Port
	for _, host := range []string{"127.0.0.1", "::1"} {
		client, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(port)))
		must(err, "dial "+host)
		client.Write([]byte("hi"))
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		n, from, err := conn.ReadFromUDP(make([]byte, 10))
		must(err, "dual stack read from "+host)
		check(n == 2 && from.IP.Equal(net.ParseIP(host)), "from %v", from)
		check(from.String() == client.LocalAddr().String(), "%v is not %v", from, client.LocalAddr())
		client.Close()
	}
}

func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	must(err, "SyscallConn")
	var inner error
	must(raw.Control(func(fd uintptr) { inner = f(int(fd)) }), "Control")
	return inner
}

func ancillary() {
	conn := listen("udp4", "127.0.0.1:0")
	defer conn.Close()
	for _, option := range []int{syscall.IP_PKTINFO, syscall.IP_RECVTTL, syscall.IP_RECVTOS} {
		must(control(conn, func(fd int) error {
			return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, option, 1)
		}), "option")
	}
	must(control(conn, func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	}), "timestamps")
	client, err := net.DialUDP("udp4", nil, conn.LocalAddr().(*net.UDPAddr))
	must(err, "dial")
	defer client.Close()
	must(control(client, func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TTL, 33)
	}), "ttl")
	client.Write([]byte("0123456789"))
	data, oob := make([]byte, 4), make([]byte, 512)
	n, oobn, flags, _, err := conn.ReadMsgUDP(data, oob)
	must(err, "ReadMsgUDP")
	check(n == 4 && flags&syscall.MSG_TRUNC != 0, "truncated: %d %x", n, flags)
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	must(err, "parse")
	seen := map[[2]int32]bool{}
	for _, m := range messages {
		seen[[2]int32{m.Header.Level, m.Header.Type}] = true
		switch {
		case m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_TTL:
			check(m.Data[0] == 33, "ttl %d", m.Data[0])
		case m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO:
			info := (*syscall.Inet4Pktinfo)(unsafe.Pointer(&m.Data[0]))
			check(info.Ifindex == 1 && info.Addr == [4]byte{127, 0, 0, 1}, "info %v", info)
		case m.Header.Level == syscall.SOL_SOCKET:
			when := (*syscall.Timespec)(unsafe.Pointer(&m.Data[0]))
			age := time.Since(time.Unix(when.Sec, when.Nsec))
			check(age > -time.Second && age < 10*time.Second, "timestamp is %v old", age)
		}
	}
	check(len(seen) == 4, "ancillary data: %v", seen)
}

// Groups on lo: joined by index, sent through it.
func multicast() {
	lo, group := 1, [4]byte{239, 1, 2, 3}
	conn := listen("udp4", "0.0.0.0:0")
	defer conn.Close()
	mreq := &syscall.IPMreqn{Multiaddr: group, Ifindex: int32(lo)}
	must(control(conn, func(fd int) error {
		return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, mreq)
	}), "join")
	err := control(conn, func(fd int) error {
		return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, mreq)
	})
	check(err == syscall.EADDRINUSE, "joined twice: %v", err)
	sender := listen("udp4", "127.0.0.1:0")
	defer sender.Close()
	must(control(sender, func(fd int) error {
		return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF,
			&syscall.IPMreqn{Ifindex: int32(lo)})
	}), "multicast interface")
	_, err = sender.WriteToUDP([]byte("group"), &net.UDPAddr{IP: net.IP(group[:]), Port: conn.LocalAddr().(*net.UDPAddr).Port})
	must(err, "send to group")
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 10)
	n, err := conn.Read(buffer)
	check(err == nil && string(buffer[:n]) == "group", "from group: %q %v", buffer[:n], err)
	must(control(conn, func(fd int) error {
		return syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_DROP_MEMBERSHIP, mreq)
	}), "leave")
}

// What does not fit the receive buffer is dropped, and the socket goes on.
func overflow() {
	conn := listen("udp4", "127.0.0.1:0")
	defer conn.Close()
	conn.SetReadBuffer(20000)
	client, err := net.Dial("udp4", conn.LocalAddr().String())
	must(err, "dial")
	defer client.Close()
	for i := 0; i < 1000; i++ {
		client.Write(make([]byte, 1000))
	}
	count := 0
	for {
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1000)); err != nil {
			break
		}
		count++
	}
	check(count > 0 && count < 100, "%d of 1000 datagrams were kept in 40000 bytes", count)
}

// UDP_SEGMENT cuts one write into datagrams.
func segments() {
	const udpSegment = 103
	conn := listen("udp4", "127.0.0.1:0")
	defer conn.Close()
	client, err := net.DialUDP("udp4", nil, conn.LocalAddr().(*net.UDPAddr))
	must(err, "dial")
	defer client.Close()
	must(control(client, func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.IPPROTO_UDP, udpSegment, 1000)
	}), "UDP_SEGMENT")
	client.Write(make([]byte, 2500))
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	for _, want := range []int{1000, 1000, 500} {
		n, err := conn.Read(make([]byte, 3000))
		check(err == nil && n == want, "segment of %d bytes, not %d: %v", n, want, err)
	}
}

func sum(data []byte) uint16 {
	total := uint32(0)
	for i := 0; i+1 < len(data); i += 2 {
		total += uint32(data[i])<<8 | uint32(data[i+1])
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}

// ping 127.0.0.1 by a raw socket; it sees its own request on lo, as on Linux.
func ping() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	if err == syscall.EPERM && os.Getuid() != 0 {
		return // natively, without rights
	}
	must(err, "raw socket")
	defer syscall.Close(fd)
	request := []byte{8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'}
	check16 := sum(request)
	request[2], request[3] = byte(check16>>8), byte(check16)
	must(syscall.Sendto(fd, request, 0, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), "ping")
	must(syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5}), "timeout")
	for {
		buffer := make([]byte, 1500)
		n, _, err := syscall.Recvfrom(fd, buffer, 0)
		must(err, "reply to ping")
		reply := buffer[int(buffer[0]&15)*4 : n]
		if reply[0] == 0 {
			check(bytes.Equal(reply[4:], request[4:]), "reply %x", reply)
			return
		}
	}
}

// ping by a socket that needs no rights.
func pingDatagram() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
	if err == syscall.EACCES {
		return // natively, by net.ipv4.ping_group_range
	}
	must(err, "ping socket")
	defer syscall.Close(fd)
	request := []byte{8, 0, 0, 0, 0, 0, 0, 7, 'h', 'i'}
	must(syscall.Sendto(fd, request, 0, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), "ping")
	must(syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5}), "timeout")
	buffer := make([]byte, 100)
	n, _, err := syscall.Recvfrom(fd, buffer, 0)
	must(err, "reply to ping")
	check(n == 10 && buffer[0] == 0 && bytes.Equal(buffer[6:n], request[6:]), "reply %x", buffer[:n])
}

// Several sockets of one port share its flows.
func reusePort() {
	const soReusePort = 15
	open := func(port int) int {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
		must(err, "socket")
		must(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1), "SO_REUSEPORT")
		must(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}), "bind")
		return fd
	}
	first := open(0)
	name, err := syscall.Getsockname(first)
	must(err, "getsockname")
	second := open(name.(*syscall.SockaddrInet4).Port)
	for i := 0; i < 64; i++ {
		client, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port))
		must(err, "dial")
		client.Write([]byte("x"))
		client.Close()
	}
	counts := [2]int{}
	for i, fd := range []int{first, second} {
		for {
			if _, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_DONTWAIT); err != nil {
				break
			}
			counts[i]++
		}
		syscall.Close(fd)
	}
	check(counts[0] > 8 && counts[1] > 8 && counts[0]+counts[1] == 64, "balance: %v", counts)
}

func disconnect() {
	conn := listen("udp4", "127.0.0.1:0")
	defer conn.Close()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	must(err, "socket")
	defer syscall.Close(fd)
	at := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: conn.LocalAddr().(*net.UDPAddr).Port}
	_, err = syscall.Write(fd, []byte("x"))
	check(err == syscall.EDESTADDRREQ, "without destination: %v", err)
	must(syscall.Connect(fd, at), "connect")
	_, err = syscall.Getpeername(fd)
	must(err, "getpeername")
	unspec := [16]byte{}
	_, _, errno := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), 16)
	check(errno == 0, "disconnect: %v", errno)
	_, err = syscall.Getpeername(fd)
	check(err == syscall.ENOTCONN, "getpeername: %v", err)
}

func main() {
	echoes("udp4", "127.0.0.1:0", 65507)
	echoes("udp6", "[::1]:0", 65527)
	refused()
	deadlines()
	dualStack()
	ancillary()
	multicast()
	overflow()
	segments()
	ping()
	pingDatagram()
	reusePort()
	disconnect()
	if failed {
		os.Exit(1)
	}
	fmt.Println("passed")
}
