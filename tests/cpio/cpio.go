// Package cpio writes archives in the "newc" format (cpio(5)), which the kernel
// unpacks over its root at boot.
package cpio

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Writer adds entries; Close ends the archive.
type Writer struct {
	out     *bufio.Writer
	offset  int64
	inode   uint32
	present map[string]bool
}

// NewWriter starts an archive.
func NewWriter(out io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(out, 1<<20), present: map[string]bool{}}
}

// Bits of the mode field.
const (
	modeDirectory = 0o040000
	modeRegular   = 0o100000
	modeSymlink   = 0o120000
)

func (w *Writer) write(data []byte) error {
	n, err := w.out.Write(data)
	w.offset += int64(n)
	return err
}

func (w *Writer) pad() error {
	return w.write(make([]byte, -w.offset&3))
}

func (w *Writer) entry(name string, mode uint32, mtime int64, content []byte) error {
	w.inode++
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		w.inode, mode, 0, 0, 1, uint32(mtime), len(content), 0, 0, 0, 0, len(name)+1, 0)
	if err := w.write([]byte(header + name + "\x00")); err != nil {
		return err
	}
	if err := w.pad(); err != nil {
		return err
	}
	if err := w.write(content); err != nil {
		return err
	}
	return w.pad()
}

// AddParents adds the directories above name that are not there yet.
func (w *Writer) AddParents(name string) error {
	name = strings.TrimPrefix(path.Clean(name), "/")
	for at := 0; ; {
		slash := strings.IndexByte(name[at:], '/')
		if slash < 0 {
			return nil
		}
		at += slash + 1
		if parent := name[:at-1]; !w.present[parent] {
			w.present[parent] = true
			if err := w.entry(parent, modeDirectory|0o755, 0, nil); err != nil {
				return err
			}
		}
	}
}

// AddFile adds a regular file with the given content.
func (w *Writer) AddFile(name string, content []byte) error {
	if err := w.AddParents(name); err != nil {
		return err
	}
	return w.entry(strings.TrimPrefix(name, "/"), modeRegular|0o644, 0, content)
}

// AddTree adds what lies at the host path (file, directory, symbolic link) under
// the name given; what cannot be read, and devices, sockets and pipes, are left out.
func (w *Writer) AddTree(hostPath, name string) error {
	if err := w.AddParents(name); err != nil {
		return err
	}
	return filepath.Walk(hostPath, func(at string, info os.FileInfo, err error) error {
		if err != nil {
			return nil
		}
		inside := strings.TrimPrefix(path.Join(name, strings.TrimPrefix(at, hostPath)), "/")
		permissions, mtime := uint32(info.Mode().Perm()), info.ModTime().Unix()
		switch {
		case info.IsDir():
			if w.present[inside] {
				return nil
			}
			w.present[inside] = true
			return w.entry(inside, modeDirectory|permissions, mtime, nil)
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(at)
			if err != nil {
				return nil
			}
			return w.entry(inside, modeSymlink|0o777, mtime, []byte(target))
		case info.Mode().IsRegular():
			content, err := os.ReadFile(at)
			if err != nil {
				return nil
			}
			return w.entry(inside, modeRegular|permissions, mtime, content)
		}
		return nil
	})
}

// Close writes the trailer.
func (w *Writer) Close() error {
	if err := w.entry("TRAILER!!!", 0, 0, nil); err != nil {
		return err
	}
	return w.out.Flush()
}
