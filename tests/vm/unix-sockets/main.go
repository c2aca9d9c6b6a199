// Unix sockets as Go programs use them: streams, datagrams and packets, by path and by
// abstract name, with deadlines, closing from the other side, and descriptors passed on.
package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"burrow/tests/check"
)

func echoServer(listener net.Listener, connections *sync.WaitGroup) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		connections.Add(1)
		go func() {
			defer connections.Done()
			defer connection.Close()
			io.Copy(connection, connection)
		}()
	}
}

// Many clients send a megabyte each and get it back.
func streams(name string) {
	var server, clients sync.WaitGroup
	listener, err := net.Listen("unix", name)
	check.NoError("listen", err)
	go echoServer(listener, &server)
	for i := 0; i < 16; i++ {
		clients.Add(1)
		go func(i int) {
			defer clients.Done()
			connection, err := net.Dial("unix", name)
			check.NoError("dial", err)
			defer connection.Close()
			sent := bytes.Repeat([]byte{byte(i), 1, 2, 3, 5, 7, 11}, 150000)
			go func() {
				_, err := connection.Write(sent)
				check.NoError("write", err)
				check.NoError("half close", connection.(*net.UnixConn).CloseWrite())
			}()
			got, err := io.ReadAll(connection)
			check.NoError("read", err)
			check.That(bytes.Equal(got, sent), "client %d: %d bytes came back differently", i, len(got))
		}(i)
	}
	clients.Wait()
	server.Wait()
	check.Equal("address", listener.Addr().String(), name)
	check.NoError("close", listener.Close())
	_, err = net.Dial("unix", name)
	check.That(err != nil, "dialled a closed listener")
}

func errorsOfNames(directory string) {
	name := filepath.Join(directory, "stale")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	check.NoError("listen", err)
	_, err = net.Listen("unix", name)
	check.That(errors.Is(err, syscall.EADDRINUSE), "second listener: %v", err)
	info, err := os.Stat(name)
	check.NoError("stat", err)
	check.That(info.Mode()&os.ModeSocket != 0, "mode %v", info.Mode())
	listener.SetUnlinkOnClose(false)
	listener.Close()
	_, err = net.Dial("unix", name)
	check.That(errors.Is(err, syscall.ECONNREFUSED), "stale name: %v", err)
	check.NoError("remove", os.Remove(name))
	_, err = net.Dial("unix", name)
	check.That(errors.Is(err, syscall.ENOENT), "no name: %v", err)
	_, err = net.Dial("unix", "@nobody-listens")
	check.That(errors.Is(err, syscall.ECONNREFUSED), "abstract name: %v", err)
}

func deadlines(directory string) {
	name := filepath.Join(directory, "slow")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	check.NoError("listen", err)
	defer listener.Close()
	listener.SetDeadline(time.Now().Add(30 * time.Millisecond))
	_, err = listener.Accept()
	check.That(errors.Is(err, os.ErrDeadlineExceeded), "accept: %v", err)
	listener.SetDeadline(time.Time{})
	connection, err := net.Dial("unix", name)
	check.NoError("dial", err)
	connection.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	_, err = connection.Read(make([]byte, 1))
	check.That(errors.Is(err, os.ErrDeadlineExceeded), "read: %v", err)
	connection.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
	for err = nil; err == nil; {
		_, err = connection.Write(make([]byte, 4096))
	}
	check.That(errors.Is(err, os.ErrDeadlineExceeded), "write: %v", err)
	connection.Close()
}

func peerCloses() {
	listener, err := net.Listen("unix", "@peer-closes")
	check.NoError("listen", err)
	defer listener.Close()
	client, err := net.Dial("unix", "@peer-closes")
	check.NoError("dial", err)
	server, err := listener.Accept()
	check.NoError("accept", err)
	client.Write([]byte("unread"))
	server.Close()
	_, err = client.Read(make([]byte, 1))
	check.That(errors.Is(err, syscall.ECONNRESET), "read after lost data: %v", err)
	_, err = client.Read(make([]byte, 1))
	check.That(err == io.EOF, "read at the end: %v", err)
	_, err = client.Write([]byte("x"))
	check.That(errors.Is(err, syscall.EPIPE), "write to a closed peer: %v", err)
	client.Close()
}

func datagrams(directory string) {
	names := [2]*net.UnixAddr{
		{Name: filepath.Join(directory, "a"), Net: "unixgram"},
		{Name: "@b", Net: "unixgram"},
	}
	var ends [2]*net.UnixConn
	for i, name := range names {
		var err error
		ends[i], err = net.ListenUnixgram("unixgram", name)
		check.NoError("listen", err)
		defer ends[i].Close()
	}
	// More than the queue takes: the sender waits for the receiver.
	done := make(chan bool)
	go func() {
		for i := 0; i < 1000; i++ {
			_, err := ends[0].WriteTo(bytes.Repeat([]byte{byte(i)}, i), names[1])
			check.NoError("send", err)
		}
		close(done)
	}()
	buffer := make([]byte, 2000)
	for i := 0; i < 1000; i++ {
		n, from, err := ends[1].ReadFrom(buffer)
		check.NoError("receive", err)
		check.Equal("length", n, i)
		check.Equal("sender", from.String(), names[0].Name)
	}
	<-done
	client, err := net.Dial("unixgram", names[0].Name)
	check.NoError("dial", err)
	_, err = client.Write([]byte("from nobody"))
	check.NoError("send", err)
	n, from, err := ends[0].ReadFromUnix(buffer)
	check.That(err == nil && n == 11 && (from == nil || from.Name == ""), "%d bytes from %v: %v", n, from, err)
	ends[0].Close()
	_, err = client.Write([]byte("to nobody"))
	check.That(errors.Is(err, syscall.ECONNREFUSED), "send to a closed socket: %v", err)
	client.Close()
}

func packets() {
	listener, err := net.Listen("unixpacket", "@packets")
	check.NoError("listen", err)
	defer listener.Close()
	client, err := net.Dial("unixpacket", "@packets")
	check.NoError("dial", err)
	server, err := listener.Accept()
	check.NoError("accept", err)
	client.Write([]byte("one"))
	client.Write([]byte("three"))
	buffer := make([]byte, 4)
	n, err := server.Read(buffer)
	check.That(err == nil && string(buffer[:n]) == "one", "first packet %q: %v", buffer[:n], err)
	n, err = server.Read(buffer)
	check.That(err == nil && string(buffer[:n]) == "thre", "second packet %q: %v", buffer[:n], err)
	client.Close()
	_, err = server.Read(buffer)
	check.That(err == io.EOF, "read at the end: %v", err)
	server.Close()
}

func passFile(directory string) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check.NoError("socketpair", err)
	file, err := os.Create(filepath.Join(directory, "passed"))
	check.NoError("create", err)
	check.NoError("send", syscall.Sendmsg(fds[0], []byte("f"), syscall.UnixRights(int(file.Fd())), nil, 0))
	file.Close()
	data, control := make([]byte, 8), make([]byte, 64)
	n, controlBytes, flags, _, err := syscall.Recvmsg(fds[1], data, control, syscall.MSG_CMSG_CLOEXEC)
	check.That(err == nil && n == 1 && flags&syscall.MSG_CTRUNC == 0, "receive: %d, %#x: %v", n, flags, err)
	messages, err := syscall.ParseSocketControlMessage(control[:controlBytes])
	check.That(err == nil && len(messages) == 1, "control messages: %v, %v", messages, err)
	rights, err := syscall.ParseUnixRights(&messages[0])
	check.That(err == nil && len(rights) == 1, "rights: %v, %v", rights, err)
	passed := os.NewFile(uintptr(rights[0]), "passed")
	_, err = passed.WriteString("through a socket")
	check.NoError("write", err)
	passed.Close()
	text, err := os.ReadFile(filepath.Join(directory, "passed"))
	check.That(err == nil && string(text) == "through a socket", "%q: %v", text, err)
	// A socket in its own queue must not keep anything from ending.
	check.NoError("send itself", syscall.Sendmsg(fds[0], []byte("s"), syscall.UnixRights(fds[0], fds[1]), nil, 0))
	syscall.Close(fds[0])
	syscall.Close(fds[1])
}

// cycles are sockets that only messages among themselves hold: what is in those messages is
// closed all the same, once another socket is.
func cycles() {
	pair := func() [2]int {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		check.NoError("socketpair", err)
		return fds
	}
	send := func(to int, fds ...int) {
		check.NoError("send", syscall.Sendmsg(to, []byte("c"), syscall.UnixRights(fds...), nil, 0))
	}
	ended := func(what string, reader *os.File) {
		other := pair()
		syscall.Close(other[0])
		syscall.Close(other[1])
		reader.SetDeadline(time.Now().Add(5 * time.Second))
		_, err := reader.Read(make([]byte, 1))
		check.That(err == io.EOF, "%s: the pipe is still open: %v", what, err)
		reader.Close()
	}

	reader, writer, err := os.Pipe()
	check.NoError("pipe", err)
	a, b := pair(), pair()
	send(a[0], b[0], b[1], int(writer.Fd()))
	send(b[0], a[0], a[1])
	writer.Close()
	for _, fd := range []int{a[0], a[1], b[0], b[1]} {
		syscall.Close(fd)
	}
	ended("two over each other", reader)

	// A connection that was never accepted, and holds its own listener.
	reader, writer, err = os.Pipe()
	check.NoError("pipe", err)
	name := &syscall.SockaddrUnix{Name: "@cycle"}
	listener, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check.NoError("socket", err)
	check.NoError("bind", syscall.Bind(listener, name))
	check.NoError("listen", syscall.Listen(listener, 5))
	client, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check.NoError("socket", err)
	check.NoError("connect", syscall.Connect(client, name))
	send(client, listener, client, int(writer.Fd()))
	writer.Close()
	syscall.Close(client)
	syscall.Close(listener)
	ended("a listener in its own connection", reader)

	// What can still be received stays: through two sockets that were sent.
	reader, writer, err = os.Pipe()
	check.NoError("pipe", err)
	a, b = pair(), pair()
	send(b[0], int(writer.Fd()))
	send(a[0], b[0], b[1])
	writer.Close()
	syscall.Close(b[0])
	syscall.Close(b[1])
	other := pair()
	syscall.Close(other[0])
	syscall.Close(other[1])
	receive := func(fd, count int) []int {
		data, control := make([]byte, 1), make([]byte, 64)
		_, n, _, _, err := syscall.Recvmsg(fd, data, control, 0)
		check.NoError("receive", err)
		messages, err := syscall.ParseSocketControlMessage(control[:n])
		check.That(err == nil && len(messages) == 1, "control messages: %v, %v", messages, err)
		rights, err := syscall.ParseUnixRights(&messages[0])
		check.That(err == nil && len(rights) == count, "rights: %v, %v", rights, err)
		return rights
	}
	inner := receive(a[1], 2)
	end := os.NewFile(uintptr(receive(inner[1], 1)[0]), "writer")
	_, err = end.WriteString("!")
	check.NoError("write", err)
	byte1 := make([]byte, 1)
	_, err = reader.Read(byte1)
	check.That(err == nil && byte1[0] == '!', "read %q, %v", byte1, err)
	text, err := os.ReadFile("/proc/net/unix")
	check.That(err == nil && strings.HasPrefix(string(text), "Num       RefCount Protocol Flags    Type St Inode Path\n"), "/proc/net/unix: %v", err)
	end.Close()
	for _, fd := range append(inner, a[0], a[1]) {
		syscall.Close(fd)
	}
	ended("received", reader)
}

// listed looks for sockets with names in /proc/net/unix.
func listed(directory string) {
	path := filepath.Join(directory, "listed")
	listener, err := net.Listen("unix", path)
	check.NoError("listen", err)
	defer listener.Close()
	abstract, err := net.ListenPacket("unixgram", "@burrow-listed")
	check.NoError("listen", err)
	defer abstract.Close()
	text, err := os.ReadFile("/proc/net/unix")
	check.NoError("/proc/net/unix", err)
	for _, want := range []string{`00010000 0001 01 +\d+ ` + path, `00000000 0002 01 +\d+ @burrow-listed`} {
		check.That(regexp.MustCompile(want).Match(text), "no line %q in\n%s", want, text)
	}
}

func main() {
	directory, err := os.MkdirTemp("", "sockets")
	check.NoError("temporary directory", err)
	streams(filepath.Join(directory, "stream"))
	streams("@stream")
	errorsOfNames(directory)
	deadlines(directory)
	peerCloses()
	datagrams(directory)
	packets()
	passFile(directory)
	cycles()
	listed(directory)
	os.RemoveAll(directory)
	check.OK()
}
