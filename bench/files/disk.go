package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// Disks: a volume with ext4 against the same file on the host's own file system, and a raw
// device against a file.

const (
	volumeBytes = "3G"
	fileBytes   = 1 << 30
	rawBytes    = 1 << 30
	limit       = 5 * time.Minute
)

func diskRows() []*row {
	return []*row{
		volumeRow("volume: write 1 GiB in order, fsync", "MB/s", 0.9, "write"),
		volumeRow("volume: read 1 GiB in order, nothing cached", "MB/s", 0.9, "read"),
		volumeRow("volume: read 256 MiB again, cached", "MB/s", 1.2, "reread", "-bytes", strconv.Itoa(256<<20)),
		volumeRow("volume: 4 KiB random read and write, fsync", "/s", 0.8, "random", "-bytes", strconv.Itoa(256<<20)),
		rawRow("raw device: write 1 GiB in order, fsync", "MB/s", 0, "write"),
		rawRow("raw device: read 1 GiB in order, nothing cached", "MB/s", 0, "read"),
		rawRow("raw device: 4 KiB random read and write, fsync", "/s", 0.8, "random", "-bytes", strconv.Itoa(256<<20)),
	}
}

func volumeRow(name, unit string, atLeast float64, mode string, more ...string) *row {
	return &row{Name: name, Unit: unit, AtLeast: atLeast, measure: func(o options, inVM bool) (float64, error) {
		if !inVM {
			return native(o, mode, more)
		}
		volume := filepath.Join(o.dir, "volume")
		disk := "data=" + volume + ":/data"
		if _, err := os.Stat(volume); err != nil {
			if output, err := exec.Command(machine.Burrow(o.root), "volume", "create", volume, volumeBytes).CombinedOutput(); err != nil {
				return 0, fmt.Errorf("%s", output)
			}
			if _, err := load(o, true, disk, "/data/file", "write", nil); err != nil {
				return 0, err
			}
		}
		if err := forget(volume); err != nil {
			return 0, err
		}
		return load(o, true, disk, "/data/file", mode, more)
	}}
}

func rawRow(name, unit string, atLeast float64, mode string, more ...string) *row {
	return &row{Name: name, Unit: unit, AtLeast: atLeast, measure: func(o options, inVM bool) (float64, error) {
		if !inVM {
			return native(o, mode, more)
		}
		path := filepath.Join(o.dir, "raw")
		if _, err := os.Stat(path); err != nil {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return 0, err
			}
			if err := os.Truncate(path, rawBytes); err != nil {
				return 0, err
			}
			if _, err := load(o, true, "data="+path, "/dev/data", "write", nil); err != nil {
				return 0, err
			}
		}
		if err := forget(path); err != nil {
			return 0, err
		}
		return load(o, true, "data="+path, "/dev/data", mode, more)
	}}
}

func native(o options, mode string, more []string) (float64, error) {
	path := filepath.Join(o.dir, "native")
	if _, err := os.Stat(path); err != nil {
		if _, err := load(o, false, "", path, "write", nil); err != nil {
			return 0, err
		}
	}
	if err := forget(path); err != nil {
		return 0, err
	}
	return load(o, false, "", path, mode, more)
}

// load runs diskload and gives its figure.
func load(o options, inVM bool, disk, path, mode string, more []string) (float64, error) {
	spec := machine.Program{Path: filepath.Join(o.programs, "diskload"),
		Args: append([]string{"-path", path, "-mode", mode}, more...)}
	platform := machine.Native
	if inVM {
		platform = o.platform
		spec.Flags = []string{"--disk", disk, "--mem", "1G"}
	}
	cmd := machine.Command(platform, o.root, spec)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	timedOut, err := machine.Wait(cmd, limit)
	figure, parseError := strconv.ParseFloat(strings.TrimSpace(stdout.String()), 64)
	if err != nil || timedOut || parseError != nil || machine.Status(cmd) != 0 {
		return 0, fmt.Errorf("%s: status %d, stderr %q", mode, machine.Status(cmd), stderr.String())
	}
	return figure, nil
}

// forget has the host write a file out and drop what it caches of it.
func forget(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	const dontNeed = 4
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
