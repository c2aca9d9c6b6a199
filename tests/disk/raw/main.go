// A block device as a program finds it: /dev/data, written, read back, flushed, discarded,
// asked for its properties. Other modes: "read-only"; "keep" and "kept", for a second VM; "wait",
// which keeps the disk in use until stdin ends; "fill", on a host without room for all of it.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"burrow/tests/check"
)

const (
	path = "/dev/data"
	mib  = 1 << 20
)

func ioctl(f *os.File, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func ask32(f *os.File, request uintptr) uint32 {
	var value uint32
	check.NoError(fmt.Sprintf("ioctl %#x", request), ioctl(f, request, unsafe.Pointer(&value)))
	return value
}

func text(name string) string {
	data, err := os.ReadFile(name)
	check.NoError(name, err)
	return strings.TrimSpace(string(data))
}

func pattern(bytes int, seed int64) []byte {
	data := make([]byte, bytes)
	rand.New(rand.NewSource(seed)).Read(data)
	return data
}

func expect(f *os.File, what string, offset int64, want []byte) {
	got := make([]byte, len(want))
	_, err := f.ReadAt(got, offset)
	check.NoError(what, err)
	if !bytes.Equal(got, want) {
		at := 0
		for got[at] == want[at] {
			at++
		}
		check.Fail("%s: byte %d of %d is %#x, not %#x", what, at, len(want), got[at], want[at])
	}
}

func put(f *os.File, what string, offset int64, data []byte) {
	n, err := f.WriteAt(data, offset)
	check.NoError(what, err)
	check.Equal(what, n, len(data))
}

func properties(f *os.File) int64 {
	var size uint64
	check.NoError("BLKGETSIZE64", ioctl(f, 0x80081272, unsafe.Pointer(&size)))
	check.Equal("size", size%mib, uint64(0))
	check.Equal("BLKSSZGET", ask32(f, 0x1268), uint32(512))
	check.Equal("BLKPBSZGET", ask32(f, 0x127b), uint32(512))
	check.Equal("BLKROGET", ask32(f, 0x125e), uint32(0))
	end, err := f.Seek(0, io.SeekEnd)
	check.NoError("seek", err)
	check.Equal("end", end, int64(size))
	info, err := os.Stat(path)
	check.NoError("stat", err)
	stat := info.Sys().(*syscall.Stat_t)
	check.Equal("mode", info.Mode()&(os.ModeDevice|os.ModeCharDevice), os.ModeDevice)
	check.Equal("rdev", stat.Rdev, uint64(254<<8))
	check.Equal("/sys/block/data/size", text("/sys/block/data/size"), fmt.Sprint(size/512))
	check.Equal("/sys/class/block/data/ro", text("/sys/class/block/data/ro"), "0")
	check.Equal("/sys/dev/block/254:0/queue/logical_block_size", text("/sys/dev/block/254:0/queue/logical_block_size"), "512")
	check.That(strings.Contains(text("/proc/partitions"), fmt.Sprintf("%d data", size/1024)), "/proc/partitions")
	return int64(size)
}

func readAndWrite(f *os.File, size int64) {
	big := pattern(3*mib+512, 1)
	put(f, "3 MiB", 4096, big)
	expect(f, "3 MiB", 4096, big)
	put(f, "bytes across a sector", 4096+509, []byte("abcdef"))
	copy(big[509:], "abcdef")
	put(f, "a byte", 4096+mib, []byte{42})
	big[mib] = 42
	expect(f, "odd bytes", 4096+1, big[1:mib+77])
	check.NoError("fsync", f.Sync())
	check.NoError("fdatasync", syscall.Fdatasync(int(f.Fd())))
	n, err := syscall.Pwrite(int(f.Fd()), make([]byte, 1024), size-512)
	check.That(n == 512 && err == nil, "write across the end: %d, %v", n, err)
	_, err = f.WriteAt([]byte{1}, size)
	check.That(err.(*os.PathError).Err == syscall.ENOSPC, "write at the end: %v", err)
	n, err = f.ReadAt(make([]byte, 1024), size-512)
	check.That(n == 512 && err == io.EOF, "read across the end: %d, %v", n, err)
}

func direct(size int64) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT, 0)
	check.NoError("open O_DIRECT", err)
	defer f.Close()
	data := pattern(64<<10, 2)
	put(f, "direct", size/2, data)
	expect(f, "direct", size/2, data)
	_, err = f.ReadAt(make([]byte, 100), 0)
	check.That(err != nil && err.(*os.PathError).Err == syscall.EINVAL, "unaligned size: %v", err)
	_, err = f.ReadAt(make([]byte, 512), 100)
	check.That(err != nil && err.(*os.PathError).Err == syscall.EINVAL, "unaligned offset: %v", err)
	s, err := os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT|syscall.O_DSYNC, 0)
	check.NoError("open O_DSYNC", err)
	put(s, "O_DSYNC", size/2, data[:4096])
	s.Close()
}

func discard(f *os.File, size int64) {
	offset := size/2 + 4096
	r := [2]uint64{uint64(offset), 8192}
	put(f, "before BLKZEROOUT", offset-512, bytes.Repeat([]byte{7}, 8192+1024))
	check.NoError("BLKZEROOUT", ioctl(f, 0x127f, unsafe.Pointer(&r)))
	expect(f, "after BLKZEROOUT", offset, make([]byte, 8192))
	expect(f, "before the zeroes", offset-512, bytes.Repeat([]byte{7}, 512))
	expect(f, "behind the zeroes", offset+8192, bytes.Repeat([]byte{7}, 512))
	check.NoError("BLKDISCARD", ioctl(f, 0x1277, unsafe.Pointer(&r)))
	put(f, "before the hole", offset, bytes.Repeat([]byte{7}, 8192))
	check.NoError("PUNCH_HOLE", syscall.Fallocate(int(f.Fd()), 3, offset, 4096))
	expect(f, "after PUNCH_HOLE", offset, make([]byte, 4096))
	r[0] = 100
	check.Equal("unaligned BLKDISCARD", ioctl(f, 0x1277, unsafe.Pointer(&r)), error(syscall.EINVAL))
	r = [2]uint64{uint64(size), 512}
	check.Equal("BLKDISCARD beyond", ioctl(f, 0x1277, unsafe.Pointer(&r)), error(syscall.EINVAL))
}

// Many at once, each in its own part, and checked by another.
func parallel(f *os.File) {
	const workers, area = 8, 512 << 10
	var group sync.WaitGroup
	for round := 0; round < 2; round++ {
		for w := 0; w < workers; w++ {
			group.Add(1)
			go func(w int) {
				defer group.Done()
				random := rand.New(rand.NewSource(int64(w)))
				base := int64(16*mib + w*area)
				for i := 0; i < 100; i++ {
					offset := base + int64(random.Intn(area/4096))*4096
					put(f, "parallel", offset, pattern(4096, offset))
					expect(f, "parallel", offset, pattern(4096, offset))
					if i%10 == 0 {
						check.NoError("fsync", f.Sync())
					}
				}
			}(w)
		}
		group.Wait()
	}
}

func readOnly() {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check.NoError("open", err)
	_, err = f.WriteAt(make([]byte, 512), 0)
	check.That(err != nil && err.(*os.PathError).Err == syscall.EPERM, "write: %v", err)
	check.Equal("BLKROGET", ask32(f, 0x125e), uint32(1))
	r := [2]uint64{0, 4096}
	check.Equal("BLKDISCARD", ioctl(f, 0x1277, unsafe.Pointer(&r)), error(syscall.EPERM))
	check.NoError("fsync", f.Sync())
	data := make([]byte, mib)
	_, err = io.ReadFull(f, data)
	check.NoError("read", err)
}

func keep(f *os.File) {
	data := pattern(mib, 99)
	binary.LittleEndian.PutUint64(data, 12345)
	put(f, "keep", 8*mib, data)
	check.NoError("fsync", f.Sync())
}

func kept(f *os.File) {
	data := pattern(mib, 99)
	binary.LittleEndian.PutUint64(data, 12345)
	expect(f, "kept", 8*mib, data)
}

func wait() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// fill expects that at some point the host has no room: an error of this write or flush, while
// what was written and flushed before stays.
func fill(f *os.File) {
	put(f, "before", 0, pattern(mib, 5))
	check.NoError("fsync", f.Sync())
	for offset := int64(mib); ; offset += mib {
		_, err := f.WriteAt(pattern(mib, offset), offset)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			check.That(err.(*os.PathError).Err == syscall.EIO, "a full host: %v", err)
			break
		}
		check.That(offset < 60*mib, "the host had room for everything")
	}
	expect(f, "what was there before", 0, pattern(mib, 5))
}

func main() {
	mode := "all"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if mode == "read-only" {
		readOnly()
		check.OK()
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check.NoError("open", err)
	switch mode {
	case "wait":
		wait()
	case "fill":
		fill(f)
	case "keep":
		keep(f)
	case "kept":
		kept(f)
	default:
		size := properties(f)
		readAndWrite(f, size)
		direct(size)
		discard(f, size)
		parallel(f)
	}
	check.NoError("close", f.Close())
	check.OK()
}
