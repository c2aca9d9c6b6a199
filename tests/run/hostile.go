package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"burrow/tests/machine"
)

// A brokenFile is an ELF file, or something else, that must be refused before boot
// with one clear line, an empty stdout and a status that is not 0. Each is made
// from the bytes of a good program.
type brokenFile struct {
	name string
	make func(good []byte) []byte
	says string // what the message must contain (in any case), "" for anything
}

// Offsets in the ELF64 header and in a program header.
const (
	elfClass     = 4
	elfData      = 5
	elfType      = 16
	elfMachine   = 18
	elfEntry     = 24
	elfPhoff     = 32
	elfPhentsize = 54
	elfPhnum     = 56

	phType   = 0
	phFlags  = 4
	phOffset = 8
	phVaddr  = 16
	phFilesz = 32
	phMemsz  = 40
	phAlign  = 48
)

func put16(offset int, value uint16) func([]byte) []byte {
	return func(good []byte) []byte {
		binary.LittleEndian.PutUint16(good[offset:], value)
		return good
	}
}

func put64(offset int, value uint64) func([]byte) []byte {
	return func(good []byte) []byte {
		binary.LittleEndian.PutUint64(good[offset:], value)
		return good
	}
}

// putLoad changes a field of the index-th PT_LOAD header.
func putLoad(index, field int, value uint64) func([]byte) []byte {
	return func(good []byte) []byte {
		at := int(binary.LittleEndian.Uint64(good[elfPhoff:]))
		for count := binary.LittleEndian.Uint16(good[elfPhnum:]); count > 0; count-- {
			if binary.LittleEndian.Uint32(good[at+phType:]) == uint32(elf.PT_LOAD) {
				if index == 0 {
					if field == phFlags {
						binary.LittleEndian.PutUint32(good[at+field:], uint32(value))
					} else {
						binary.LittleEndian.PutUint64(good[at+field:], value)
					}
					return good
				}
				index--
			}
			at += 56
		}
		return good
	}
}

func cut(length int) func([]byte) []byte {
	return func(good []byte) []byte {
		if length < 0 {
			length = len(good) + length
		}
		return good[:length]
	}
}

func replaceWith(content string) func([]byte) []byte {
	return func([]byte) []byte { return []byte(content) }
}

var brokenFiles = []brokenFile{
	{"empty", cut(0), ""},
	{"one-byte", cut(1), ""},
	{"magic-only", cut(4), ""},
	{"half-header", cut(40), ""},
	{"header-only", cut(64), ""},
	{"headers-cut", cut(64 + 56 + 20), ""},
	{"half-file", func(good []byte) []byte { return good[:len(good)/3] }, ""},
	{"text-file", replaceWith("this is no program\n"), ""},
	{"script", replaceWith("#!/bin/sh\necho hello\n"), ""},
	{"zeroes", replaceWith(strings.Repeat("\x00", 8192)), ""},
	{"32-bit", func(good []byte) []byte { good[elfClass] = 1; return good }, ""},
	{"big-endian", func(good []byte) []byte { good[elfData] = 2; return good }, ""},
	{"arm64", put16(elfMachine, uint16(elf.EM_AARCH64)), ""},
	{"i386", put16(elfMachine, uint16(elf.EM_386)), ""},
	{"riscv", put16(elfMachine, uint16(elf.EM_RISCV)), ""},
	{"object-file", put16(elfType, uint16(elf.ET_REL)), ""},
	{"core-file", put16(elfType, uint16(elf.ET_CORE)), ""},
	{"no-program-headers", put16(elfPhnum, 0), ""},
	{"many-program-headers", put16(elfPhnum, 0xffff), ""},
	{"small-program-headers", put16(elfPhentsize, 8), ""},
	{"headers-beyond-file", put64(elfPhoff, 1<<40), ""},
	{"headers-wrap", put64(elfPhoff, ^uint64(0)-8), ""},
	{"entry-zero", put64(elfEntry, 0), ""},
	{"entry-outside", put64(elfEntry, 0x7000000000), ""},
	{"entry-not-canonical", put64(elfEntry, 0x8000000000000000), ""},
	{"segment-beyond-file", putLoad(0, phOffset, 1<<40), ""},
	{"segment-offset-wraps", putLoad(0, phOffset, ^uint64(0xfff)), ""},
	{"segment-file-size-huge", putLoad(0, phFilesz, 1<<62), ""},
	{"segment-memory-size-huge", putLoad(2, phMemsz, 1<<62), ""},
	{"segment-memory-smaller-than-file", putLoad(0, phMemsz, 1), ""},
	{"segment-in-page-zero", putLoad(0, phVaddr, 0), ""},
	{"segment-in-kernel-half", putLoad(0, phVaddr, 0xffffffff80000000), ""},
	{"segment-not-canonical", putLoad(0, phVaddr, 0x0000900000000000), ""},
	{"segment-end-wraps", putLoad(2, phVaddr, 0x00007ffffffff000), ""},
	{"segment-misaligned", putLoad(0, phVaddr, 0x400123), ""},
}

// hostileTasks makes the broken files from the hello program and tries each one.
func hostileTasks(opts options) []task {
	var tasks []task
	good := filepath.Join(programDir(opts, "vm"), "hello")
	for _, broken := range brokenFiles {
		for _, platform := range opts.platforms {
			broken, platform := broken, platform
			if platform == machine.Native {
				continue
			}
			tasks = append(tasks, task{
				name: taskName("vm", "hostile-elf", broken.name, platform),
				run:  func() string { return runBroken(opts, platform, good, broken) },
			})
		}
	}
	return tasks
}

func runBroken(opts options, platform machine.Platform, good string, broken brokenFile) string {
	content, err := os.ReadFile(good)
	if err != nil {
		return err.Error()
	}
	dir := filepath.Join(opts.root, "build", "tests", "hostile")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err.Error()
	}
	path := filepath.Join(dir, broken.name)
	content = broken.make(content)
	if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, content) {
		if err := os.WriteFile(path, content, 0o755); err != nil {
			return err.Error()
		}
	}
	result, err := record(platform, opts.root, path)
	if err != nil {
		return err.Error() + "\ncommand: " + result.shell
	}
	var wrong string
	message := strings.TrimRight(string(result.stderr), "\n")
	switch {
	case result.status == 0 || result.status >= 128:
		wrong = fmt.Sprintf("status %d, expected an error of burrow's", result.status)
	case len(result.stdout) > 0:
		wrong = "stdout is not empty: " + shorten(string(result.stdout))
	case message == "":
		wrong = "no message"
	case strings.Contains(message, "\n"):
		wrong = "more than one line"
	case !strings.Contains(strings.ToLower(message), strings.ToLower(broken.says)):
		wrong = fmt.Sprintf("the message does not say %q", broken.says)
	default:
		return ""
	}
	return wrong + "\nstderr:\n" + message + "\ncommand: " + result.shell
}
