// Diskload loads a file or a block device in one way and prints one figure: MB/s, or operations
// a second.
//
//	diskload -path FILE -mode MODE [-bytes N] [-seconds N] [-direct]
//
// Modes: write (in order, then fsync), read (in order), reread (what is cached), random (4 KiB
// at random places, a read and a write in turn, fsync after each write).
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	block = 1 << 20
	small = 4096
)

func main() {
	path := flag.String("path", "", "file or device")
	mode := flag.String("mode", "", "write, read, reread or random")
	bytes := flag.Int64("bytes", 1<<30, "size of the file, or of the part of the device")
	seconds := flag.Float64("seconds", 5, "how long random runs")
	direct := flag.Bool("direct", false, "O_DIRECT")
	flag.Parse()
	flags := os.O_RDWR | os.O_CREATE
	if *direct {
		flags |= syscall.O_DIRECT
	}
	f, err := os.OpenFile(*path, flags, 0o600)
	check(err)
	switch *mode {
	case "write":
		fmt.Println(write(f, *bytes))
	case "read":
		fmt.Println(read(f, *bytes))
	case "reread":
		read(f, *bytes)
		fmt.Println(read(f, *bytes))
	case "random":
		fmt.Println(random(f, *bytes, *seconds))
	default:
		check(fmt.Errorf("no mode %q", *mode))
	}
	check(f.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "diskload:", err)
		os.Exit(1)
	}
}

// buffer is aligned as O_DIRECT wants it.
func buffer(bytes int) []byte {
	room := make([]byte, bytes+small)
	skip := -int(uintptr(unsafe.Pointer(&room[0]))) & (small - 1)
	return room[skip : skip+bytes]
}

func perSecond(bytes int64, start time.Time) float64 {
	return float64(bytes) / 1e6 / time.Since(start).Seconds()
}

func write(f *os.File, bytes int64) float64 {
	data := buffer(block)
	rand.New(rand.NewSource(1)).Read(data)
	start := time.Now()
	for at := int64(0); at < bytes; at += block {
		_, err := f.WriteAt(data, at)
		check(err)
	}
	check(f.Sync())
	return perSecond(bytes, start)
}

func read(f *os.File, bytes int64) float64 {
	data := buffer(block)
	start := time.Now()
	for at := int64(0); at < bytes; at += block {
		_, err := io.ReadFull(io.NewSectionReader(f, at, block), data)
		check(err)
	}
	return perSecond(bytes, start)
}

func random(f *os.File, bytes int64, seconds float64) float64 {
	data := buffer(small)
	places := rand.New(rand.NewSource(2))
	place := func() int64 { return places.Int63n(bytes/small) * small }
	start := time.Now()
	operations := 0
	for time.Since(start).Seconds() < seconds {
		_, err := f.ReadAt(data, place())
		check(err)
		places.Read(data[:16])
		_, err = f.WriteAt(data, place())
		check(err)
		check(f.Sync())
		operations += 2
	}
	return float64(operations) / time.Since(start).Seconds()
}
