// Package os as a program uses it: every result and every error text.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

func show(what string, values ...interface{}) {
	fmt.Printf("%s = %v\n", what, values)
}

// describe leaves out what differs between hosts.
func describe(name string) {
	info, err := os.Lstat(name)
	if err != nil {
		show("lstat "+name, err)
		return
	}
	size := info.Size()
	if info.IsDir() {
		size = 0
	}
	show("lstat "+name, info.Name(), size, info.Mode(), info.IsDir())
}

func writing() {
	show("WriteFile", os.WriteFile("a", []byte("hello"), 0o640))
	describe("a")
	file, err := os.OpenFile("a", os.O_APPEND|os.O_WRONLY, 0)
	show("OpenFile append", err)
	n, err := file.WriteString(" world")
	show("WriteString", n, err)
	_, err = file.Read(make([]byte, 1))
	show("Read", err)
	_, err = file.WriteAt([]byte("x"), 0)
	show("WriteAt", err)
	show("Close", file.Close())
	show("Close again", file.Close())
	content, err := os.ReadFile("a")
	show("ReadFile", string(content), err)
	show("Truncate", os.Truncate("a", 3))
	show("Truncate negative", os.Truncate("a", -1))
	content, err = os.ReadFile("a")
	show("ReadFile", string(content), err)
	file, err = os.Open("a")
	show("Open", err)
	position, err := file.Seek(-1, io.SeekStart)
	show("Seek", position, err)
	position, err = file.Seek(10, io.SeekEnd)
	show("Seek", position, err)
	n, err = file.Read(make([]byte, 4))
	show("Read beyond", n, err)
	n, err = file.ReadAt(make([]byte, 4), 1)
	show("ReadAt", n, err)
	_, err = file.ReadDir(1)
	show("ReadDir of a file", err)
	show("Chdir to a file", file.Chdir())
	file.Close()
	show("deadline", func() error {
		reader, writer, _ := os.Pipe()
		defer writer.Close()
		reader.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := reader.Read(make([]byte, 1))
		return err
	}())
}

func directories() {
	show("MkdirAll", os.MkdirAll("d/e/f", 0o755))
	show("MkdirAll again", os.MkdirAll("d/e/f", 0o755))
	show("MkdirAll through a file", os.MkdirAll("a/b", 0o755))
	show("Mkdir", os.Mkdir("d", 0o755))
	for i := 0; i < 20; i++ {
		os.WriteFile(fmt.Sprintf("d/e/%02d", i), nil, 0o600)
	}
	entries, err := os.ReadDir("d/e")
	show("ReadDir", len(entries), err)
	for _, entry := range entries {
		show("entry", entry.Name(), entry.IsDir(), entry.Type())
	}
	show("Remove full", os.Remove("d/e"))
	show("Remove file", os.Remove("d/e/00"))
	show("Rename", os.Rename("d/e/01", "d/moved"))
	show("Rename missing", os.Rename("d/none", "d/moved"))
	show("Rename over a directory", os.Rename("d/moved", "d/e"))
	show("Symlink", os.Symlink("e/02", "d/link"))
	target, err := os.Readlink("d/link")
	show("Readlink", target, err)
	show("Link", os.Link("d/moved", "d/hard"))
	describe("d/link")
	describe("d/hard")
	real, err := filepath.EvalSymlinks("d/link")
	show("EvalSymlinks", real, err)
	var walked []string
	filepath.WalkDir("d", func(path string, entry fs.DirEntry, err error) error {
		walked = append(walked, path)
		return err
	})
	sort.Strings(walked)
	show("walked", strings.Join(walked, " "))
	matches, err := filepath.Glob("d/e/1*")
	show("Glob", matches, err)
	fsys := os.DirFS("d")
	content, err := fs.ReadFile(fsys, "moved")
	show("DirFS", content, err)
	_, err = fsys.Open("../a")
	show("DirFS outside", err)
	show("RemoveAll", os.RemoveAll("d"))
	describe("d")
	show("RemoveAll missing", os.RemoveAll("d"))
}

func modes() {
	for _, mode := range []os.FileMode{0, 0o777, 0o4755, os.ModeSticky | 0o700, os.ModeSetuid | 0o755, os.ModeSetgid | 0o755} {
		os.WriteFile("m", nil, 0o600)
		show("Chmod "+mode.String(), os.Chmod("m", mode))
		describe("m")
	}
	show("Chmod missing", os.Chmod("none", 0o600))
	stamp := time.Unix(1234567890, 123456789)
	show("Chtimes", os.Chtimes("m", stamp, stamp))
	info, err := os.Stat("m")
	show("ModTime", info.ModTime().UnixNano(), err)
	show("Chown", os.Chown("m", 5, 6))
	info, _ = os.Stat("m")
	stat := info.Sys().(*syscall.Stat_t)
	show("owner", stat.Uid, stat.Gid, stat.Nlink)
	show("SameFile", os.SameFile(info, info))
	os.Remove("m")
	old := syscall.Umask(0o77)
	os.WriteFile("u", nil, 0o666)
	syscall.Umask(old)
	describe("u")
	os.Remove("u")
}

func failures() {
	for _, name := range []string{"none", "a/b", "", strings.Repeat("x", 300), "\x00", "none/../a"} {
		_, err := os.Open(name)
		show(fmt.Sprintf("Open %.20q", name), err, errors.Is(err, fs.ErrNotExist))
		_, err = os.Stat(name)
		show(fmt.Sprintf("Stat %.20q", name), err, os.IsNotExist(err))
	}
	_, err := os.OpenFile("a", os.O_CREATE|os.O_EXCL, 0o600)
	show("exclusive", err, errors.Is(err, fs.ErrExist))
	_, err = os.Create("/proc/none")
	show("Create in /proc", err)
	temp, err := os.MkdirTemp("", "t")
	show("MkdirTemp", err)
	file, err := os.CreateTemp(temp, "x*y")
	show("CreateTemp", err, strings.HasSuffix(file.Name(), "y"))
	info, err := file.Stat()
	show("its mode", info.Mode(), err)
	os.RemoveAll(temp)
	n, err := file.Write([]byte("still there"))
	show("Write to the removed file", n, err)
	host, err := os.Hostname()
	show("Hostname", host != "", err)
	reader, writer, err := os.Pipe()
	show("Pipe", err)
	writer.Close()
	n, err = reader.Read(make([]byte, 1))
	show("Read", n, err)
	source, _ := os.Open("a")
	copied, _ := os.Create("b")
	amount, err := io.Copy(copied, source)
	show("io.Copy", amount, err)
	os.Remove("b")
}

func main() {
	writing()
	directories()
	modes()
	failures()
	os.Remove("a")
	entries, err := os.ReadDir(".")
	show("left over", len(entries), err)
}
