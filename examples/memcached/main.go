// A key-value store that speaks the memcached text protocol over UDP and TCP: get, gets, set,
// add, delete, flush_all, version, quit. Values live in memory; nothing is evicted.
//
//	burrow run -p 11211:11211 -p 11211:11211/udp ./examples/memcached
//	memccat --servers=127.0.0.1 key
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
)

const valueMax = 1 << 20

type item struct {
	flags, value string
	unique       uint64
}

type store struct {
	sync.RWMutex
	items  map[string]item
	unique uint64
}

func main() {
	address := flag.String("addr", ":11211", "where to listen")
	flag.Parse()
	s := &store{items: map[string]item{}}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	datagrams, err := net.ListenPacket("udp", *address)
	if err != nil {
		log.Fatal(err)
	}
	go s.serveDatagrams(datagrams)
	fmt.Println("memcached: listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			s.serve(bufio.NewReader(connection), connection)
		}()
	}
}

// serveDatagrams answers requests that fit one datagram, behind a frame of 8 bytes: request
// id, sequence number, number of datagrams, reserved.
func (s *store) serveDatagrams(socket net.PacketConn) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if n < 8 || binary.BigEndian.Uint16(buffer[4:]) != 1 {
			continue
		}
		var answer bytes.Buffer
		answer.Write(buffer[:2])
		answer.Write([]byte{0, 0, 0, 1, 0, 0})
		s.serve(bufio.NewReader(bytes.NewReader(buffer[8:n])), &answer)
		if answer.Len() > 1400 {
			answer.Truncate(8)
			answer.WriteString("SERVER_ERROR answer does not fit a datagram\r\n")
		}
		if _, err := socket.WriteTo(answer.Bytes(), from); err != nil {
			log.Print(err)
		}
	}
}

// serve answers commands until the input ends.
func (s *store) serve(in *bufio.Reader, out io.Writer) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "quit" {
			return
		}
		if !s.command(words, in, out) {
			return
		}
	}
}

func (s *store) command(words []string, in *bufio.Reader, out io.Writer) bool {
	switch words[0] {
	case "get", "gets":
		s.get(words[1:], words[0] == "gets", out)
	case "set", "add":
		return s.set(words, in, out)
	case "delete":
		s.Lock()
		_, had := s.items[words[len(words)-1]]
		delete(s.items, words[len(words)-1])
		s.Unlock()
		if had {
			fmt.Fprint(out, "DELETED\r\n")
		} else {
			fmt.Fprint(out, "NOT_FOUND\r\n")
		}
	case "flush_all":
		s.Lock()
		s.items = map[string]item{}
		s.Unlock()
		fmt.Fprint(out, "OK\r\n")
	case "version":
		fmt.Fprint(out, "VERSION 1.6.0\r\n")
	default:
		fmt.Fprint(out, "ERROR\r\n")
	}
	return true
}

func (s *store) get(keys []string, withUnique bool, out io.Writer) {
	s.RLock()
	defer s.RUnlock()
	var answer bytes.Buffer
	for _, key := range keys {
		found, ok := s.items[key]
		if !ok {
			continue
		}
		fmt.Fprintf(&answer, "VALUE %s %s %d", key, found.flags, len(found.value))
		if withUnique {
			fmt.Fprintf(&answer, " %d", found.unique)
		}
		fmt.Fprintf(&answer, "\r\n%s\r\n", found.value)
	}
	answer.WriteString("END\r\n")
	out.Write(answer.Bytes())
}

// set reads "set KEY FLAGS EXPIRY BYTES [noreply]" and the value behind it.
func (s *store) set(words []string, in *bufio.Reader, out io.Writer) bool {
	if len(words) < 5 {
		fmt.Fprint(out, "ERROR\r\n")
		return true
	}
	count, err := strconv.Atoi(words[4])
	if err != nil || count < 0 || count > valueMax {
		fmt.Fprint(out, "SERVER_ERROR object too large for cache\r\n")
		return false
	}
	value := make([]byte, count+2)
	if _, err := io.ReadFull(in, value); err != nil {
		return false
	}
	answer := "STORED\r\n"
	s.Lock()
	if _, had := s.items[words[1]]; had && words[0] == "add" {
		answer = "NOT_STORED\r\n"
	} else {
		s.unique++
		s.items[words[1]] = item{words[2], string(value[:count]), s.unique}
	}
	s.Unlock()
	if len(words) < 6 {
		fmt.Fprint(out, answer)
	}
	return true
}
