// What TCP sockets do beside sending and receiving: urgent data, out of band and inline, and its
// mark; connect to AF_UNSPEC; options of the IP layer; lines of /proc/net.
package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"burrow/tests/check"
)

func socket() int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check.NoError("socket", err)
	timeout := syscall.Timeval{Sec: 5}
	check.NoError("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout))
	return fd
}

func listen() (int, *syscall.SockaddrInet4) {
	fd := socket()
	check.NoError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check.NoError("listen", syscall.Listen(fd, 10))
	name, err := syscall.Getsockname(fd)
	check.NoError("getsockname", err)
	return fd, name.(*syscall.SockaddrInet4)
}

func accept(listener int) int {
	fd, _, err := syscall.Accept(listener)
	check.NoError("accept", err)
	timeout := syscall.Timeval{Sec: 5}
	check.NoError("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout))
	return fd
}

func receive(fd, most, flags int) (string, error) {
	buffer := make([]byte, most)
	n, _, err := syscall.Recvfrom(fd, buffer, flags)
	if err != nil {
		return "", err
	}
	return string(buffer[:n]), nil
}

func expect(fd, most, flags int, want string) {
	got, err := receive(fd, most, flags)
	check.NoError("receive "+want, err)
	check.Equal("received", got, want)
}

func atMark(fd int) bool {
	value := int32(-1)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), 0x8905, uintptr(unsafe.Pointer(&value)))
	check.Equal("SIOCATMARK", errno, syscall.Errno(0))
	return value == 1
}

func send(fd, flags int, text string) {
	check.NoError("send", syscall.Sendto(fd, []byte(text), flags, nil))
}

// until waits for bytes to arrive, urgent ones too.
func until(fd int, events int16) {
	request := struct {
		fd      int32
		wanted  int16
		occured int16
	}{int32(fd), events, 0}
	n, _, errno := syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&request)), 1, 5000)
	check.That(n == 1 && errno == 0 && request.occured&events == events, "poll: %d, %v, %#x, wanted %#x", n, errno, request.occured, events)
}

const (
	pollIn  = 1
	pollPri = 2
)

func urgent() {
	listener, name := listen()
	client := socket()
	check.NoError("connect", syscall.Connect(client, name))
	server := accept(listener)

	_, err := receive(server, 1, syscall.MSG_OOB)
	check.Equal("none", err, error(syscall.EINVAL))
	send(client, 0, "before")
	send(client, syscall.MSG_OOB, "12!")
	send(client, 0, "after")
	until(server, pollIn|pollPri)
	time.Sleep(50 * time.Millisecond)
	check.That(!atMark(server), "at the mark too early")
	expect(server, 1, syscall.MSG_OOB|syscall.MSG_PEEK, "!")
	expect(server, 1, syscall.MSG_OOB, "!")
	_, err = receive(server, 1, syscall.MSG_OOB)
	check.Equal("taken", err, error(syscall.EINVAL))
	expect(server, 100, syscall.MSG_WAITALL, "before12") // stops at the mark
	check.That(atMark(server), "not at the mark")
	expect(server, 100, 0, "after")
	check.That(!atMark(server), "still at the mark")

	check.NoError("SO_OOBINLINE", syscall.SetsockoptInt(server, syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1))
	send(client, syscall.MSG_OOB, "ab?")
	send(client, 0, "cd")
	until(server, pollIn|pollPri)
	time.Sleep(50 * time.Millisecond)
	_, err = receive(server, 1, syscall.MSG_OOB)
	check.Equal("inline", err, error(syscall.EINVAL))
	expect(server, 100, 0, "ab")
	check.That(atMark(server), "not at the inline mark")
	expect(server, 100, 0, "?cd")
	check.That(!atMark(server), "still at the inline mark")
	for _, fd := range []int{client, server, listener} {
		syscall.Close(fd)
	}
}

func unspecified(fd int) syscall.Errno {
	name := [16]byte{}
	_, _, errno := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&name)), 16)
	return errno
}

func disconnect() {
	listener, name := listen()
	client := socket()
	check.Equal("fresh", unspecified(client), syscall.Errno(0))
	for i := 0; i < 3; i++ {
		check.NoError("connect", syscall.Connect(client, name))
		server := accept(listener)
		send(client, 0, "hello")
		expect(server, 5, syscall.MSG_WAITALL, "hello")
		send(server, 0, "unread")
		check.Equal("connect again", syscall.Connect(client, name), error(syscall.EISCONN))
		check.Equal("AF_UNSPEC", unspecified(client), syscall.Errno(0))
		_, err := receive(server, 5, 0)
		check.Equal("the other end", err, error(syscall.ECONNRESET))
		_, err = syscall.Getpeername(client)
		check.Equal("getpeername", err, error(syscall.ENOTCONN))
		_, err = syscall.GetsockoptInt(client, syscall.SOL_SOCKET, syscall.SO_ERROR)
		check.NoError("SO_ERROR", err)
		syscall.Close(server)
	}
	// A listener keeps a port that was given by number.
	syscall.Close(listener)
	listener = socket()
	check.NoError("SO_REUSEADDR", syscall.SetsockoptInt(listener, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	check.NoError("bind", syscall.Bind(listener, name))
	check.NoError("listen", syscall.Listen(listener, 10))
	check.Equal("listener", unspecified(listener), syscall.Errno(0))
	other := socket()
	check.Equal("nobody listens", syscall.Connect(other, name), error(syscall.ECONNREFUSED))
	check.NoError("listen again", syscall.Listen(listener, 10))
	check.NoError("connect", syscall.Connect(client, name))
	for _, fd := range []int{client, other, listener} {
		syscall.Close(fd)
	}
}

func options() {
	fd := socket()
	for _, c := range []struct{ option, standard, value int }{
		{syscall.IP_MTU_DISCOVER, 1, 0}, {syscall.IP_RECVERR, 0, 1}, {syscall.IP_TTL, 64, 9},
	} {
		value, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IP, c.option)
		check.That(err == nil && value == c.standard, "option %d: %d, %v", c.option, value, err)
		check.NoError("set", syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, c.option, c.value))
		value, err = syscall.GetsockoptInt(fd, syscall.IPPROTO_IP, c.option)
		check.That(err == nil && value == c.value, "option %d: %d, %v", c.option, value, err)
	}
	check.Equal("no such discovery", syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, 9), error(syscall.EINVAL))
	syscall.Close(fd)
}

// row finds the line of /proc/net/FILE that has the inode of a socket, as programs like ss do.
func row(file string, fd int) []string {
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	check.NoError("readlink", err)
	var stat syscall.Stat_t
	check.NoError("fstat", syscall.Fstat(fd, &stat))
	check.Equal("name of the descriptor", link, fmt.Sprintf("socket:[%d]", stat.Ino))
	text, err := os.ReadFile("/proc/net/" + file)
	check.NoError(file, err)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 9 && words[9] == fmt.Sprint(stat.Ino) {
			return words
		}
	}
	check.Fail("no inode %d in /proc/net/%s:\n%s", stat.Ino, file, text)
	return nil
}

func listed() {
	listener, name := listen()
	client := socket()
	check.NoError("connect", syscall.Connect(client, name))
	server := accept(listener)
	send(client, 0, "unread")
	until(server, pollIn)
	local := fmt.Sprintf("0100007F:%04X", name.Port)
	words := row("tcp", listener)
	check.That(words[1] == local && words[2] == "00000000:0000" && words[3] == "0A", "listener: %v", words)
	words = row("tcp", server)
	check.That(words[1] == local && words[3] == "01" && strings.HasSuffix(words[4], ":00000006"), "server: %v", words)
	words = row("tcp", client)
	check.That(words[2] == local && words[3] == "01", "client: %v", words)
	for _, fd := range []int{client, server, listener} {
		syscall.Close(fd)
	}
	datagrams, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	check.NoError("socket", err)
	check.NoError("bind", syscall.Bind(datagrams, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	words = row("udp", datagrams)
	check.That(strings.HasPrefix(words[1], "0100007F:") && words[3] == "07", "UDP: %v", words)
	syscall.Close(datagrams)
}

func main() {
	urgent()
	listed()
	disconnect()
	options()
	check.OK()
}
