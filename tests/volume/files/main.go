// Files of a volume as Linux has them. The first argument chooses, the second is the directory.
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"

	"burrow/tests/check"
)

const page = 4096

var dir string

var modes = map[string]func(){
	"mappings": mappings, "private": private, "bus": busError, "direct": direct,
	"parallel": parallel, "random": random, "large": large, "full": full, "names": names,
	"nameless": nameless, "holes": holes, "kept-write": keptWrite, "kept-read": keptRead,
	"small-files": smallFiles, "pressure": pressure, "stress": stress,
}

func main() {
	dir = os.Args[2]
	modes[os.Args[1]]()
	fmt.Println("ok")
}

func path(name string) string { return filepath.Join(dir, name) }

func create(name string, flags int) *os.File {
	f, err := os.OpenFile(path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC|flags, 0o644)
	check.NoError("create "+name, err)
	return f
}

func pattern(seed, bytes int) []byte {
	data := make([]byte, bytes)
	rand.New(rand.NewSource(int64(seed))).Read(data)
	return data
}

func mapped(f *os.File, bytes, protection, flags int) []byte {
	data, err := syscall.Mmap(int(f.Fd()), 0, bytes, protection, flags)
	check.NoError("mmap", err)
	return data
}

func msync(data []byte) {
	_, _, errno := syscall.Syscall(syscall.SYS_MSYNC, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), syscall.MS_SYNC)
	if errno != 0 {
		check.NoError("msync", errno)
	}
}

func readAll(name string) []byte {
	data, err := os.ReadFile(path(name))
	check.NoError("read "+name, err)
	return data
}

func forget(f *os.File) {
	const dontNeed = 4
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
	if errno != 0 {
		check.NoError("fadvise", errno)
	}
}

// mappings: what is stored in a shared mapping is what read(2) gives, at once, and what storage
// has after msync, again and again.
func mappings() {
	const pages = 300
	f := create("mapped", 0)
	check.NoError("truncate", f.Truncate(pages*page))
	data := mapped(f, pages*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	copied := make([]byte, len(data))
	r := rand.New(rand.NewSource(1))
	for round := 0; round < 20; round++ {
		for i := 0; i < 50; i++ {
			at := r.Intn(len(data) - 100)
			part := pattern(round*100+i, 100)
			if i%2 == 0 {
				copy(data[at:], part)
			} else {
				_, err := f.WriteAt(part, int64(at))
				check.NoError("write", err)
			}
			copy(copied[at:], part)
		}
		if round%3 == 0 {
			msync(data)
			forget(f)
		} else if round%3 == 1 {
			check.NoError("fsync", f.Sync())
		}
		if !bytes.Equal(data, copied) {
			check.Fail("round %d: the mapping differs", round)
		}
		if !bytes.Equal(readAll("mapped"), copied) {
			check.Fail("round %d: the file differs", round)
		}
	}
	check.NoError("munmap", syscall.Munmap(data))
	check.NoError("fsync", f.Sync())
	forget(f)
	if !bytes.Equal(readAll("mapped"), copied) {
		check.Fail("the file differs at the end")
	}
}

// private: a private mapping keeps what it changed, and sees what the file becomes elsewhere.
func private() {
	f := create("private", 0)
	content := pattern(5, 40*page)
	_, err := f.Write(content)
	check.NoError("write", err)
	check.NoError("fsync", f.Sync())
	forget(f)
	data := mapped(f, len(content), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	if !bytes.Equal(data, content) {
		check.Fail("the mapping differs")
	}
	data[100] ^= 0xff
	if !bytes.Equal(readAll("private"), content) {
		check.Fail("a private change reached the file")
	}
	_, err = f.WriteAt([]byte("new"), 20*page)
	check.NoError("write", err)
	if string(data[20*page:20*page+3]) != "new" {
		check.Fail("the mapping does not follow the file")
	}
	if data[100] != content[100]^0xff {
		check.Fail("the private change is gone")
	}
	// What is executed from a file is as good.
	code := mapped(f, page, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE)
	if !bytes.Equal(code, content[:page]) {
		check.Fail("the executable mapping differs")
	}
}

// busError: behind the end of a file that was cut off there is nothing.
func busError() {
	f := create("bus", 0)
	_, err := f.Write(pattern(9, 8*page))
	check.NoError("write", err)
	data := mapped(f, 8*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	data[7*page] = 1
	check.NoError("truncate", f.Truncate(2*page+10))
	if data[2*page+10] != 0 {
		check.Fail("the tail of the last page is not zero")
	}
	data[2*page+20] = 7 // beyond the end
	debug.SetPanicOnFault(true)
	faulted := func() (faulted bool) {
		defer func() { faulted = recover() != nil }()
		data[5*page]++
		return
	}()
	if !faulted {
		check.Fail("no fault beyond the end")
	}
	check.NoError("truncate", f.Truncate(8*page))
	if data[5*page] != 0 || data[2*page+20] != 0 {
		check.Fail("old bytes came back: %d %d", data[5*page], data[2*page+20])
	}
	signal.Reset()
}

func aligned(bytes int) []byte {
	data := make([]byte, bytes+page)
	skip := (page - int(uintptr(unsafe.Pointer(&data[0]))%page)) % page
	return data[skip : skip+bytes]
}

// direct: O_DIRECT and the cache see each other's writes.
func direct() {
	f := create("direct", syscall.O_DIRECT)
	plain, err := os.OpenFile(path("direct"), os.O_RDWR, 0)
	check.NoError("open", err)
	buffer := aligned(1 << 20)
	copy(buffer, pattern(3, len(buffer)))
	content := append([]byte(nil), buffer...)
	_, err = f.WriteAt(buffer, 0)
	check.NoError("direct write", err)
	if !bytes.Equal(readAll("direct"), content) {
		check.Fail("the cache does not see a direct write")
	}
	_, err = plain.WriteAt([]byte("through the cache"), 5000)
	check.NoError("write", err)
	copy(content[5000:], "through the cache")
	_, err = f.ReadAt(buffer, 0)
	check.NoError("direct read", err)
	if !bytes.Equal(buffer, content) {
		check.Fail("a direct read does not see the cache")
	}
	if _, err = f.WriteAt(buffer[:100], 0); err == nil {
		check.Fail("a direct write of 100 bytes")
	}
	copy(buffer, pattern(4, 512))
	_, err = f.WriteAt(buffer[:512], 1536)
	check.NoError("direct write of a sector", err)
	copy(content[1536:], buffer[:512])
	if !bytes.Equal(readAll("direct"), content) {
		check.Fail("a sector is not where it was written")
	}
}

// parallel: many goroutines on files of their own and one they share.
func parallel() {
	const workers, grain, rounds = 16, 1000, 60
	shared := create("shared", 0)
	var group sync.WaitGroup
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			own := fmt.Sprintf("own-%d", w)
			r := rand.New(rand.NewSource(int64(w)))
			for i := 0; i < rounds; i++ {
				at := int64(i*workers+w) * grain
				part := pattern(i*workers+w, grain)
				_, err := shared.WriteAt(part, at)
				check.NoError("write", err)
				got := make([]byte, grain)
				_, err = shared.ReadAt(got, at)
				check.NoError("read", err)
				if !bytes.Equal(got, part) {
					check.Fail("worker %d round %d reads something else", w, i)
				}
				content := pattern(i, 1+r.Intn(100000))
				check.NoError("write file", os.WriteFile(path(own), content, 0o600))
				if r.Intn(4) == 0 {
					check.NoError("fsync", shared.Sync())
				}
				if !bytes.Equal(readAll(own), content) {
					check.Fail("worker %d round %d: its file differs", w, i)
				}
				if r.Intn(2) == 0 {
					check.NoError("rename", os.Rename(path(own), path(own+"-moved")))
					check.NoError("remove", os.Remove(path(own+"-moved")))
				}
			}
		}(w)
	}
	group.Wait()
	all := readAll("shared")
	for i := 0; i < workers*rounds; i++ {
		if !bytes.Equal(all[i*grain:(i+1)*grain], pattern(i, grain)) {
			check.Fail("part %d of the shared file differs", i)
		}
	}
}

// random: operations on one file as on one in memory.
func random() {
	const most = 400000
	f := create("random", 0)
	var model []byte
	resize := func(bytes int) {
		if bytes <= len(model) {
			model = model[:bytes]
		} else {
			model = append(model, make([]byte, bytes-len(model))...)
		}
	}
	r := rand.New(rand.NewSource(11))
	for step := 0; step < 4000; step++ {
		at, count := r.Intn(most), 1+r.Intn(30000)
		switch kind := r.Intn(12); kind {
		case 0, 1, 2, 3:
			part := pattern(step, count)
			_, err := f.WriteAt(part, int64(at))
			check.NoError("write", err)
			if at+count > len(model) {
				resize(at + count)
			}
			copy(model[at:], part)
		case 4, 5, 6, 7:
			got := make([]byte, count)
			n, _ := f.ReadAt(got, int64(at))
			wanted := []byte{}
			if at < len(model) {
				wanted = model[at:least(at+count, len(model))]
			}
			if !bytes.Equal(got[:n], wanted) {
				check.Fail("step %d: read at %d", step, at)
			}
		case 8:
			check.NoError("truncate", f.Truncate(int64(at)))
			resize(at)
		case 9:
			const keepSize, punch = 1, 2
			check.NoError("punch", syscall.Fallocate(int(f.Fd()), keepSize|punch, int64(at), int64(count)))
			for i := at; i < least(at+count, len(model)); i++ {
				model[i] = 0
			}
		case 10:
			if len(model) == 0 {
				continue
			}
			data := mapped(f, len(model), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
			at %= len(model)
			part := pattern(step, least(count, len(model)-at))
			copy(data[at:], part)
			copy(model[at:], part)
			if !bytes.Equal(data, model) {
				check.Fail("step %d: the mapping differs", step)
			}
			check.NoError("munmap", syscall.Munmap(data))
		default:
			check.NoError("fsync", f.Sync())
			if r.Intn(2) == 0 {
				forget(f)
			}
		}
	}
	if !bytes.Equal(readAll("random"), model) {
		check.Fail("the file differs")
	}
}

// large: more than the machine has memory for, written and read in turn.
func large() {
	const total, piece = 160 << 20, 1 << 20
	f := create("large", 0)
	for i := 0; i < total/piece; i++ {
		_, err := f.Write(pattern(i, piece))
		check.NoError("write", err)
	}
	_, err := f.Seek(0, 0)
	check.NoError("seek", err)
	got := make([]byte, piece)
	for i := 0; i < total/piece; i++ {
		_, err := f.Read(got)
		check.NoError("read", err)
		if !bytes.Equal(got, pattern(i, piece)) {
			check.Fail("MiB %d differs", i)
		}
	}
	data := mapped(f, total, syscall.PROT_READ, syscall.MAP_SHARED)
	for i := 0; i < total/piece; i += 3 {
		if !bytes.Equal(data[i*piece:(i+1)*piece], pattern(i, piece)) {
			check.Fail("MiB %d of the mapping differs", i)
		}
	}
	check.NoError("remove", os.Remove(path("large")))
}

// full: a volume that is full says so when it is written to, and loses nothing.
func full() {
	f := create("filler", 0)
	piece := pattern(1, 1<<20)
	var written int64
	for {
		n, err := f.Write(piece)
		written += int64(n)
		if err != nil {
			if !errorIs(err, syscall.ENOSPC) {
				check.NoError("write", err)
			}
			break
		}
	}
	check.NoError("fsync", f.Sync())
	info, err := f.Stat()
	check.NoError("stat", err)
	if info.Size() != written {
		check.Fail("size %d after %d bytes", info.Size(), written)
	}
	all := readAll("filler")
	for at := 0; at < len(all); at += len(piece) {
		if !bytes.Equal(all[at:least(at+len(piece), len(all))], piece[:least(len(piece), len(all)-at)]) {
			check.Fail("MiB %d differs", at>>20)
		}
	}
	check.NoError("remove", os.Remove(path("filler")))
	f.Close()
	check.NoError("write after that", os.WriteFile(path("again"), piece, 0o644))
}

func errorIs(err error, errno syscall.Errno) bool {
	for {
		if err == errno {
			return true
		}
		unwrapped, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = unwrapped.Unwrap()
	}
}

func expect(what string, err error, errno syscall.Errno) {
	if errno == 0 && err == nil || errno != 0 && err != nil && errorIs(err, errno) {
		return
	}
	check.Fail("%s: %v, expected %v", what, err, errno)
}

// names: mount points, links, renames, many names in a directory.
func names() {
	expect("rmdir of the mount", syscall.Rmdir(dir), syscall.EBUSY)
	expect("rename out", os.Rename(path("lost+found"), "/tmp/x"), syscall.EXDEV)
	check.NoError("mkdir", os.MkdirAll(path("a/b/c"), 0o755))
	check.NoError("write", os.WriteFile(path("a/file"), []byte("x"), 0o644))
	check.NoError("link", os.Link(path("a/file"), path("a/b/hard")))
	check.NoError("symlink", os.Symlink("../file", path("a/b/soft")))
	check.NoError("write", os.WriteFile(path("a/b/soft"), []byte("through"), 0o644))
	if got := readAll("a/b/hard"); string(got) != "through" {
		check.Fail("the hard link reads %q", got)
	}
	one, err := os.Stat(path("a/file"))
	check.NoError("stat", err)
	two, err := os.Stat(path("a/b/hard"))
	check.NoError("stat", err)
	if !os.SameFile(one, two) || one.Sys().(*syscall.Stat_t).Nlink != 2 {
		check.Fail("the hard link is not the same file")
	}
	expect("rmdir", os.Remove(path("a/b")), syscall.ENOTEMPTY)
	expect("rename below itself", os.Rename(path("a"), path("a/b/c/d")), syscall.EINVAL)
	check.NoError("rename", os.Rename(path("a/b"), path("moved")))
	if got := readAll("moved/hard"); string(got) != "through" {
		check.Fail("after the rename %q", got)
	}
	const many = 3000
	check.NoError("mkdir", os.Mkdir(path("many"), 0o755))
	for i := 0; i < many; i++ {
		check.NoError("create", os.WriteFile(path(fmt.Sprintf("many/file-%d", i)), nil, 0o644))
	}
	entries, err := os.ReadDir(path("many"))
	check.NoError("readdir", err)
	if len(entries) != many {
		check.Fail("%d names of %d", len(entries), many)
	}
	for i := 0; i < many; i += 2 {
		check.NoError("remove", os.Remove(path(fmt.Sprintf("many/file-%d", i))))
	}
	entries, err = os.ReadDir(path("many"))
	check.NoError("readdir", err)
	if len(entries) != many/2 {
		check.Fail("%d names left of %d", len(entries), many/2)
	}
	check.NoError("remove all", os.RemoveAll(path("many")))
}

// nameless: files that have lost their names, or never had one.
func nameless() {
	f := create("gone", 0)
	_, err := f.Write(pattern(8, 100000))
	check.NoError("write", err)
	check.NoError("remove", os.Remove(path("gone")))
	check.NoError("fsync", f.Sync())
	got := make([]byte, 100000)
	_, err = f.ReadAt(got, 0)
	check.NoError("read", err)
	if !bytes.Equal(got, pattern(8, 100000)) {
		check.Fail("the file without a name differs")
	}
	const tmpfile = 0o20200000
	t, err := os.OpenFile(dir, os.O_RDWR|tmpfile, 0o600)
	check.NoError("O_TMPFILE", err)
	_, err = t.Write([]byte("nameless"))
	check.NoError("write", err)
	const symlinkFollow, cwd = 0x400, -100
	from, _ := syscall.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", t.Fd()))
	to, _ := syscall.BytePtrFromString(path("named"))
	_, _, errno := syscall.Syscall6(syscall.SYS_LINKAT, ^uintptr(99), uintptr(unsafe.Pointer(from)),
		^uintptr(99), uintptr(unsafe.Pointer(to)), symlinkFollow, 0)
	if errno != 0 {
		check.NoError("linkat", errno)
	}
	if got := readAll("named"); string(got) != "nameless" {
		check.Fail("named reads %q", got)
	}
	_ = cwd
}

// holes: sparse files, SEEK_DATA and SEEK_HOLE, fallocate.
func holes() {
	f := create("sparse", 0)
	_, err := f.WriteAt([]byte("end"), 100<<20)
	check.NoError("write", err)
	check.NoError("fsync", f.Sync())
	info, err := f.Stat()
	check.NoError("stat", err)
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks > 100 {
		check.Fail("a sparse file takes %d blocks", blocks)
	}
	const data, hole = 3, 4
	if at, err := f.Seek(0, data); err != nil || at != 100<<20 {
		check.Fail("the data is at %d: %v", at, err)
	}
	if at, err := f.Seek(0, hole); err != nil || at != 0 {
		check.Fail("the hole is at %d: %v", at, err)
	}
	check.NoError("fallocate", syscall.Fallocate(int(f.Fd()), 0, 0, 8<<20))
	info, err = f.Stat()
	check.NoError("stat", err)
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks < 8<<20/512 {
		check.Fail("fallocate of 8 MiB took %d blocks", blocks)
	}
	got := make([]byte, 8<<20)
	_, err = f.ReadAt(got, 0)
	check.NoError("read", err)
	if !bytes.Equal(got, make([]byte, len(got))) {
		check.Fail("allocated space is not zero")
	}
}

// keptWrite, keptRead: what one VM wrote the next one has, without fsync, as it ended well.
func keptWrite() {
	for i := 0; i < 200; i++ {
		check.NoError("write", os.WriteFile(path(fmt.Sprintf("kept-%d", i)), pattern(i, i*500), 0o600))
	}
	f := create("kept-mapped", 0)
	check.NoError("truncate", f.Truncate(10*page))
	data := mapped(f, 10*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	copy(data, pattern(77, 10*page))
}

func keptRead() {
	for i := 0; i < 200; i++ {
		if !bytes.Equal(readAll(fmt.Sprintf("kept-%d", i)), pattern(i, i*500)) {
			check.Fail("file %d differs", i)
		}
	}
	if !bytes.Equal(readAll("kept-mapped"), pattern(77, 10*page)) {
		check.Fail("the mapped file differs")
	}
}

// smallFiles: more names than are cached in a small machine.
func smallFiles() {
	const directories, files = 40, 250
	for d := 0; d < directories; d++ {
		check.NoError("mkdir", os.Mkdir(path(fmt.Sprintf("d%d", d)), 0o755))
		for i := 0; i < files; i++ {
			check.NoError("write", os.WriteFile(path(fmt.Sprintf("d%d/f%d", d, i)), pattern(d*files+i, 100), 0o644))
		}
	}
	for round := 0; round < 2; round++ {
		for d := 0; d < directories; d++ {
			for i := 0; i < files; i++ {
				if !bytes.Equal(readAll(fmt.Sprintf("d%d/f%d", d, i)), pattern(d*files+i, 100)) {
					check.Fail("file %d of %d differs", i, d)
				}
			}
		}
	}
	for d := 0; d < directories; d++ {
		check.NoError("remove", os.RemoveAll(path(fmt.Sprintf("d%d", d))))
	}
}

func least(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// pressure: memory full of cached files is there for the program when it wants it.
func pressure() {
	const total, piece = 100 << 20, 1 << 20
	f := create("cached", 0)
	for i := 0; i < total/piece; i++ {
		_, err := f.Write(pattern(i, piece))
		check.NoError("write", err)
	}
	var kept [][]byte
	for i := 0; i < 48; i++ {
		block := make([]byte, piece)
		for at := 0; at < len(block); at += page {
			block[at] = byte(i)
		}
		kept = append(kept, block)
		got := make([]byte, piece)
		_, err := f.ReadAt(got, int64(i*2)*piece)
		check.NoError("read", err)
		if !bytes.Equal(got, pattern(i*2, piece)) {
			check.Fail("MiB %d differs", i*2)
		}
	}
	for i, block := range kept {
		if block[0] != byte(i) || block[len(block)-page] != byte(i) {
			check.Fail("the program's own memory differs")
		}
	}
}
