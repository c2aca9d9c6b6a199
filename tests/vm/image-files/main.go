// Files of an image: found, read, mapped, changed, renamed, removed; the default files; the
// limit of what may be written.
package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"mime"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"burrow/tests/check"
)

func main() {
	defaultFiles()
	contents()
	names()
	attributes()
	mappings()
	holes()
	limit()
	many()
	fmt.Println("ok")
}

func defaultFiles() {
	_, err := time.LoadLocation("Europe/Berlin")
	check.NoError("LoadLocation", err)
	_, err = x509.SystemCertPool()
	check.NoError("SystemCertPool", err)
	port, err := net.LookupPort("tcp", "https")
	check.NoError("LookupPort", err)
	check.Equal("port of https", port, 443)
	root, err := user.Lookup("root")
	check.NoError("user.Lookup", err)
	check.Equal("root's id", root.Uid, "0")
	_, err = user.LookupGroup("root")
	check.NoError("user.LookupGroup", err)
	check.Equal("type of .epub", mime.TypeByExtension(".epub"), "application/epub+zip")
	addresses, err := net.LookupHost("localhost")
	check.NoError("LookupHost", err)
	check.That(len(addresses) > 0, "localhost has no address")
	for _, path := range []string{"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/protocols",
		"/etc/hostname", "/etc/localtime", "/etc/passwd", "/etc/group"} {
		_, err := os.ReadFile(path)
		check.NoError(path, err)
	}
}

func read(path string) string {
	content, err := os.ReadFile(path)
	check.NoError("reading", err)
	return string(content)
}

func write(path string, offset int64, text string) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	check.NoError("opening for writing", err)
	_, err = file.WriteAt([]byte(text), offset)
	check.NoError("writing", err)
	check.NoError("closing", file.Close())
}

func contents() {
	check.Equal("a small file", read("/tree/small"), "hello\n")
	check.Equal("through a link", read("/tree/sub/link"), "hello\n")
	before := read("/tree/pages")
	check.Equal("bytes", len(before), 18000)
	write("/tree/pages", 8190, "COPIED")
	after := read("/tree/pages")
	check.That(after == before[:8190]+"COPIED"+before[8196:], "a write in the middle changed something else")
	check.NoError("truncate", os.Truncate("/tree/pages", 5000))
	check.NoError("truncate", os.Truncate("/tree/pages", 9000))
	check.That(read("/tree/pages") == before[:5000]+strings.Repeat("\x00", 4000), "what was cut off is there again")
	file, err := os.OpenFile("/tree/small", os.O_APPEND|os.O_WRONLY, 0)
	check.NoError("opening for appending", err)
	file.WriteString("more\n")
	file.Close()
	check.Equal("appended", read("/tree/sub/link"), "hello\nmore\n")
}

func list(path string) string {
	entries, err := os.ReadDir(path)
	check.NoError("ReadDir", err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func names() {
	_, err := os.Stat("/tree/sub/nothing")
	check.That(os.IsNotExist(err), "a missing name: %v", err)
	check.NoError("remove", os.Remove("/tree/sub/one"))
	check.Equal("after removing", list("/tree/sub"), "deep link two")
	_, err = os.Stat("/tree/sub/one")
	check.That(os.IsNotExist(err), "a removed name: %v", err)
	err = os.Remove("/tree/sub/deep")
	check.That(err.(*os.PathError).Err == syscall.ENOTEMPTY, "removing a full directory: %v", err)
	check.NoError("rename of a directory", os.Rename("/tree/sub", "/tree/moved"))
	check.Equal("in the renamed directory", read("/tree/moved/deep/x"), "x\n")
	check.NoError("rename over a file", os.Rename("/tree/moved/two", "/tree/small"))
	check.Equal("replaced", read("/tree/small"), "two\n")
	check.NoError("link", os.Link("/tree/moved/deep/x", "/tree/hard"))
	write("/tree/hard", 0, "y")
	check.Equal("by the other name", read("/tree/moved/deep/x"), "y\n")
	check.NoError("create", os.WriteFile("/tree/moved/one", []byte("new"), 0o644))
	check.Equal("with a new name", list("/tree/moved"), "deep link one")
	check.NoError("remove all", os.RemoveAll("/tree/moved"))
	check.Equal("at the end", list("/tree"), "hard pages small")
}

func attributes() {
	path := "/tree/pages"
	check.NoError("setxattr", syscall.Setxattr(path, "user.colour", []byte("blue"), 0))
	value := make([]byte, 100)
	n, err := syscall.Getxattr(path, "user.colour", value)
	check.NoError("getxattr", err)
	check.Equal("attribute", string(value[:n]), "blue")
	check.NoError("chmod", os.Chmod(path, 0o640))
	check.NoError("chtimes", os.Chtimes(path, time.Unix(1, 0), time.Unix(2, 0)))
	info, err := os.Stat(path)
	check.NoError("stat", err)
	check.Equal("mode", info.Mode(), os.FileMode(0o640))
	check.Equal("mtime", info.ModTime().Unix(), int64(2))
}

func mappings() {
	zone := "/usr/share/zoneinfo/tzdata.zi"
	if _, err := os.Stat(zone); err != nil {
		zone = "/etc/ssl/certs/ca-certificates.crt"
	}
	want := read(zone)
	file, err := os.OpenFile(zone, os.O_RDWR, 0)
	check.NoError("open", err)
	defer file.Close()
	private, err := syscall.Mmap(int(file.Fd()), 0, len(want), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	check.NoError("private mapping", err)
	shared, err := syscall.Mmap(int(file.Fd()), 0, len(want), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check.NoError("shared mapping", err)
	check.That(string(private) == want && string(shared) == want, "mappings show something else")
	private[5000] = 1
	check.That(shared[5000] == want[5000] && read(zone) == want, "a private write is seen by others")
	shared[9000] = 2
	check.That(read(zone)[9000] == 2 && private[9000] == 2, "a shared write is not seen by others")
	check.That(bytes.Equal(private[10000:], []byte(want)[10000:]), "other pages changed")
	check.NoError("munmap", syscall.Munmap(private))
	check.NoError("munmap", syscall.Munmap(shared))
}

func holes() {
	path := "/etc/ssl/certs/ca-certificates.crt"
	want := []byte(read(path))
	if len(want) < 65536 {
		return // this host has none
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	check.NoError("open", err)
	defer file.Close()
	var before, after syscall.Stat_t
	check.NoError("fstat", syscall.Fstat(int(file.Fd()), &before))
	const keepSize, punch = 1, 2
	check.NoError("punching a hole", syscall.Fallocate(int(file.Fd()), keepSize|punch, 8000, 20000))
	copy(want[8000:28000], make([]byte, 20000))
	check.That(read(path) == string(want), "a hole is not zeroes, or more than that")
	check.NoError("fstat", syscall.Fstat(int(file.Fd()), &after))
	check.Equal("blocks less", before.Blocks-after.Blocks, int64(4*8))
	const seekHole = 4
	at, err := file.Seek(0, seekHole)
	check.NoError("SEEK_HOLE", err)
	check.Equal("the hole", at, int64(8192))
}

func limit() {
	var before, after syscall.Statfs_t
	check.NoError("statfs", syscall.Statfs("/", &before))
	check.Equal("blocks", before.Blocks, uint64(4096))
	file, err := os.Create("/tmp/large")
	check.NoError("create", err)
	written, data := 0, make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = file.Write(data)
		written += n
	}
	check.That(err.(*os.PathError).Err == syscall.ENOSPC, "beyond the limit: %v", err)
	check.That(written > 14<<20 && written <= 16<<20, "%d bytes were written", written)
	file.Close()
	check.NoError("remove", os.Remove("/tmp/large"))
	check.NoError("statfs", syscall.Statfs("/", &after))
	check.Equal("free blocks", after.Bfree, before.Bfree)
	check.Equal("free nodes", after.Ffree, before.Ffree)
}

func many() {
	count := 0
	err := filepath.Walk("/usr/share/zoneinfo", func(path string, info os.FileInfo, err error) error {
		count++
		return err
	})
	check.NoError("walk", err)
	check.That(count > 300, "%d files of time zones", count)
	check.NoError("remove all", os.RemoveAll("/usr/share/zoneinfo"))
	_, err = os.Stat("/usr/share/zoneinfo")
	check.That(os.IsNotExist(err), "removed: %v", err)
}
