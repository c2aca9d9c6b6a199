// Files in directories of the host: what a program does to them, and what it cannot do.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func expect(what string, err, wanted error) {
	if !errors.Is(err, wanted) {
		fmt.Printf("%s: %v, not %v\n", what, err, wanted)
		os.Exit(1)
	}
}

func expectText(path, wanted string) {
	data, err := os.ReadFile(path)
	check(err)
	if string(data) != wanted {
		fmt.Printf("%s holds %q, not %q\n", path, data, wanted)
		os.Exit(1)
	}
}

func changeNames(dir string) {
	check(os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	file := filepath.Join(dir, "a", "b", "file")
	check(os.WriteFile(file, []byte("hello"), 0o644))
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	check(err)
	_, err = f.WriteString(", world")
	check(err)
	check(f.Sync())
	check(f.Close())
	expectText(file, "hello, world")
	check(os.Truncate(file, 5))
	moved := filepath.Join(dir, "a", "moved")
	check(os.Rename(file, moved))
	check(os.Link(moved, filepath.Join(dir, "hard")))
	expectText(filepath.Join(dir, "hard"), "hello")
	expect("removing a full directory", os.Remove(filepath.Join(dir, "a")), syscall.ENOTEMPTY)
}

// Links are followed in the machine, however they climb.
func followLinks(dir string) {
	link := filepath.Join(dir, "out")
	check(os.Symlink("../../../../../../proc/self/comm", link))
	inside, err := os.ReadFile("/proc/self/comm")
	check(err)
	expectText(link, string(inside))
	check(os.Symlink("/nowhere", filepath.Join(dir, "nowhere")))
	_, err = os.ReadFile(filepath.Join(dir, "nowhere"))
	expect("a link to nothing", err, syscall.ENOENT)
}

func listMany(dir string) {
	many := filepath.Join(dir, "many")
	check(os.Mkdir(many, 0o755))
	for i := 0; i < 500; i++ {
		check(os.WriteFile(filepath.Join(many, fmt.Sprint(i)), []byte(fmt.Sprint(i)), 0o600))
	}
	entries, err := os.ReadDir(many)
	check(err)
	if len(entries) != 500 {
		fmt.Println(len(entries), "entries, not 500")
		os.Exit(1)
	}
}

func main() {
	dir, err := os.MkdirTemp("/host", "burrow-host-directory-")
	check(err)
	changeNames(dir)
	followLinks(dir)
	listMany(dir)
	expect("a device", syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o666, 0x103), syscall.EPERM)
	check(os.RemoveAll(dir))
	expectText("/tree/file", "kept on the host")
	expect("a new file", os.WriteFile("/tree/new", nil, 0o644), syscall.EROFS)
	expect("removing", os.Remove("/tree/file"), syscall.EROFS)
	fmt.Println("ok")
}
