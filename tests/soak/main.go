// A server that is asked a lot, and the client that does so.
//
//	soak serve PORT
//	soak load HOST:PORT CONNECTIONS DURATION
//
// load opens CONNECTIONS connections one after the other, then for DURATION runs a mix of everything
// at once: echoes of all sizes, half closes, readers that are slow, connections cut at random, UDP.
// Before and after it asks the server what it holds: sockets and memory must be back where they were.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	patience   = 30 * time.Second
	workers    = 24
	mostMemory = 8 << 20 // more than before: what pools and the Go runtime keep
)

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "load":
		count, err := strconv.Atoi(os.Args[3])
		check(err)
		duration, err := time.ParseDuration(os.Args[4])
		check(err)
		load(os.Args[2], count, duration)
	default:
		fmt.Fprintln(os.Stderr, "usage: soak serve PORT | load ADDRESS CONNECTIONS DURATION")
		os.Exit(2)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// ---- the server ----

// A connection's first byte says what it is: 'e' echoes until the end, 'q' echoes one byte and closes
// first, 's' gives the state as one line.
func handle(connection *net.TCPConn) {
	defer connection.Close()
	kind := make([]byte, 1)
	if _, err := io.ReadFull(connection, kind); err != nil {
		return
	}
	switch kind[0] {
	case 'e':
		if _, err := io.Copy(connection, connection); err == nil {
			connection.CloseWrite()
		}
	case 'q':
		if _, err := io.ReadFull(connection, kind); err == nil {
			connection.Write(kind)
		}
	case 's':
		fmt.Fprintln(connection, state())
	}
}

func serve(port string) {
	listener, err := net.Listen("tcp", ":"+port)
	check(err)
	datagrams, err := net.ListenPacket("udp", ":"+port)
	check(err)
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, from, err := datagrams.ReadFrom(buffer)
			check(err)
			datagrams.WriteTo(buffer[:n], from)
		}
	}()
	fmt.Println("soak: listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		check(err)
		go handle(connection.(*net.TCPConn))
	}
}

// field finds a number behind a word of a text.
func field(text, word string) int {
	words := strings.Fields(text)
	for i := 0; i+1 < len(words); i++ {
		if words[i] == word {
			n, _ := strconv.Atoi(words[i+1])
			return n
		}
	}
	return -1
}

// state is "SOCKETS USED GOROUTINES": TCP's connections of all kinds, bytes of memory in use.
func state() string {
	debug.FreeOSMemory()
	sockets, err := os.ReadFile("/proc/net/sockstat")
	check(err)
	memory, err := os.ReadFile("/proc/meminfo")
	check(err)
	used := field(string(memory), "MemTotal:") - field(string(memory), "MemFree:")
	return fmt.Sprint(field(string(sockets), "alloc"), used*1024, runtime.NumGoroutine())
}

// ---- the client ----

type holding struct{ sockets, memory, goroutines int }

func dial(address string) (*net.TCPConn, error) {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	return connection.(*net.TCPConn), connection.SetDeadline(time.Now().Add(patience))
}

func ask(address string) (h holding) {
	connection, err := dial(address)
	check(err)
	defer connection.Close()
	_, err = connection.Write([]byte("s"))
	check(err)
	line, err := bufio.NewReader(connection).ReadString('\n')
	check(err)
	_, err = fmt.Sscan(line, &h.sockets, &h.memory, &h.goroutines)
	check(err)
	connection.SetLinger(0)
	return h
}

// one connection of the sequential part. Either end closes first; some are cut.
func one(address string, i int) error {
	connection, err := dial(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	text := []byte(fmt.Sprintf("q%c", 'a'+i%26))
	if i%3 == 0 {
		text[0] = 'e'
	}
	if _, err = connection.Write(text); err != nil {
		return err
	}
	back := make([]byte, 1)
	if _, err = io.ReadFull(connection, back); err == nil && back[0] != text[1] {
		err = fmt.Errorf("got %q for %q", back, text)
	}
	if i%3 == 0 {
		connection.SetLinger(0) // no port of ours has to wait
	} else if _, end := connection.Read(back); err == nil && end != io.EOF {
		err = fmt.Errorf("end: %v", end)
	}
	return err
}

var payload = func() []byte {
	bytes := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(bytes)
	return bytes
}()

// echo sends `size` bytes, ends its half and reads all back, slowly if asked.
func echo(address string, size int, slow bool) error {
	connection, err := dial(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := connection.Write(append([]byte("e"), payload[:size]...))
		if err == nil {
			err = connection.CloseWrite()
		}
		sent <- err
	}()
	var back bytes.Buffer
	for piece := make([]byte, 16<<10); err == nil; {
		var n int
		if slow {
			time.Sleep(time.Millisecond)
		}
		n, err = connection.Read(piece)
		back.Write(piece[:n])
	}
	if err == io.EOF {
		err = <-sent
	} else {
		connection.Close()
		<-sent
	}
	if err == nil && !bytes.Equal(back.Bytes(), payload[:size]) {
		err = fmt.Errorf("%d bytes came back of %d", back.Len(), size)
	}
	return err
}

// cut ends a connection anywhere in an echo, by a reset or by closing with data unread.
func cut(address string, random *rand.Rand) error {
	connection, err := dial(address)
	if err != nil {
		return err
	}
	if random.Intn(2) == 0 {
		connection.SetLinger(0)
	}
	go connection.Write(append([]byte("e"), payload[:random.Intn(len(payload))]...))
	connection.SetReadDeadline(time.Now().Add(time.Duration(random.Intn(50)) * time.Millisecond))
	io.CopyN(io.Discard, connection, int64(random.Intn(1<<18)))
	return connection.Close()
}

// datagrams may be lost; what comes must be right.
func datagrams(address string, random *rand.Rand) error {
	socket, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer socket.Close()
	back := make([]byte, 65536)
	for i := 0; i < 10; i++ {
		size := random.Intn(4000)
		socket.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := socket.Write(payload[:size]); err != nil {
			return err
		}
		n, err := socket.Read(back)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(back[:n], payload[:size]) {
			return fmt.Errorf("UDP: %d bytes came back of %d", n, size)
		}
	}
	return nil
}

func mix(address string, duration time.Duration) (total int64) {
	var done atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(duration)
	for w := 0; w < workers; w++ {
		random := rand.New(rand.NewSource(int64(w)))
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Now().Before(end) {
				var err error
				switch kind := random.Intn(10); {
				case kind < 4:
					err = echo(address, 1<<random.Intn(20), false)
				case kind < 5:
					err = echo(address, random.Intn(1<<18), true)
				case kind < 8:
					err = cut(address, random)
				case kind < 9:
					err = datagrams(address, random)
				default:
					err = one(address, random.Intn(1000))
				}
				check(err)
				done.Add(1)
			}
		}()
	}
	group.Wait()
	return done.Load()
}

func load(address string, count int, duration time.Duration) {
	// The pools of the server are filled before it is asked.
	mix(address, 3*time.Second)
	time.Sleep(time.Second)
	before := settle(address, holding{sockets: 1 << 30, memory: 1 << 60, goroutines: 1 << 30}, 65*time.Second)
	start := time.Now()
	for i := 0; i < count; i++ {
		if err := one(address, i); err != nil {
			check(fmt.Errorf("connection %d of %d: %w", i, count, err))
		}
	}
	fmt.Printf("%d connections in %.1f s\n", count, time.Since(start).Seconds())
	done := mix(address, duration)
	fmt.Printf("%d mixed operations in %s\n", done, duration)
	after := settle(address, before, 90*time.Second)
	fmt.Printf("before %+v\nafter  %+v\n", before, after)
	if after.sockets > before.sockets || after.goroutines > before.goroutines || after.memory > before.memory+mostMemory {
		check(fmt.Errorf("the server holds more than before"))
	}
}

// settle waits until the server holds no more than `wanted`; with no such wish, until what it holds
// stays the same.
func settle(address string, wanted holding, limit time.Duration) holding {
	last := ask(address)
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Second) {
		now := ask(address)
		if wanted.memory < 1<<60 && now.sockets <= wanted.sockets && now.goroutines <= wanted.goroutines && now.memory <= wanted.memory+mostMemory {
			return now
		}
		if wanted.memory == 1<<60 && now.sockets <= 3 && now == last {
			return now
		}
		last = now
	}
	return last
}
