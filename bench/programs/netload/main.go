// The client of bench-net: makes one kind of load for a while and prints "KIND FIGURE".
//
//	netload KIND ADDRESS SECONDS
//
// KIND: connect (HTTP requests, a new connection each, per second), handshake (TLS 1.3
// handshakes per second), tls (HTTPS requests on kept connections, per second), in (megabits
// per second to the server), out (from it), udp (64-byte round trips per second), idle
// (opens 9,000 connections, asks once on each, gives how many answered).
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const clients = 32

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: netload KIND ADDRESS SECONDS")
		os.Exit(2)
	}
	kind, host := os.Args[1], os.Args[2]
	seconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail(err)
	}
	loads := map[string]func(string, time.Duration) float64{
		"connect": connect, "handshake": handshake, "tls": kept, "in": in, "out": out, "udp": udp, "idle": idle,
	}
	load, ok := loads[kind]
	if !ok {
		fail(fmt.Errorf("no load %q", kind))
	}
	fmt.Println(kind, load(host, time.Duration(seconds)*time.Second))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "netload:", err)
	os.Exit(1)
}

// repeat runs work in several goroutines until the time is over; operations per second.
func repeat(duration time.Duration, workers int, work func() error) float64 {
	var done atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Since(start) < duration {
				if err := work(); err != nil {
					fail(err)
				}
				done.Add(1)
			}
		}()
	}
	group.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

func connect(host string, duration time.Duration) float64 {
	return repeat(duration, clients, func() error {
		connection, err := net.Dial("tcp", host+":8080")
		if err != nil {
			return err
		}
		defer connection.Close()
		fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	})
}

func handshake(host string, duration time.Duration) float64 {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	return repeat(duration, clients, func() error {
		connection, err := tls.Dial("tcp", host+":8443", config)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

func kept(host string, duration time.Duration) float64 {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: clients}
	client := http.Client{Transport: transport}
	return repeat(duration, clients, func() error {
		response, err := client.Get("https://" + host + ":8443/")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	})
}

func megabits(bytes int64, start time.Time) float64 {
	return float64(bytes) * 8 / 1e6 / time.Since(start).Seconds()
}

func in(host string, duration time.Duration) float64 {
	connection, err := net.Dial("tcp", host+":9001")
	if err != nil {
		fail(err)
	}
	defer connection.Close()
	block := make([]byte, 128<<10)
	start, total := time.Now(), int64(0)
	for time.Since(start) < duration {
		n, err := connection.Write(block)
		if err != nil {
			fail(err)
		}
		total += int64(n)
	}
	return megabits(total, start)
}

func out(host string, duration time.Duration) float64 {
	connection, err := net.Dial("tcp", host+":9002")
	if err != nil {
		fail(err)
	}
	defer connection.Close()
	block := make([]byte, 128<<10)
	start, total := time.Now(), int64(0)
	for time.Since(start) < duration {
		n, err := connection.Read(block)
		if err != nil {
			fail(err)
		}
		total += int64(n)
	}
	return megabits(total, start)
}

func udp(host string, duration time.Duration) float64 {
	socket, err := net.Dial("udp", host+":9003")
	if err != nil {
		fail(err)
	}
	datagram := make([]byte, 64)
	return repeat(duration, 1, func() error {
		if _, err := socket.Write(datagram); err != nil {
			return err
		}
		socket.SetReadDeadline(time.Now().Add(time.Second))
		_, err := socket.Read(datagram)
		return err
	})
}

func idle(host string, _ time.Duration) float64 {
	answered := 0
	for i := 0; i < 9000; i++ {
		connection, err := net.Dial("tcp", host+":9004")
		if err != nil {
			fail(fmt.Errorf("connection %d: %w", i, err))
		}
		defer connection.Close()
		if _, err := connection.Write([]byte("x")); err != nil {
			fail(err)
		}
		if _, err := io.ReadFull(connection, make([]byte, 1)); err != nil {
			fail(err)
		}
		answered++
	}
	return float64(answered)
}
