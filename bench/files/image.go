package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"burrow/tests/machine"
)

// Images and the memory layer over them. Images are made by mkfs.erofs, as anybody's may be.

func imageRows() []*row {
	return []*row{
		{Name: "image: open, read, close a small file", Unit: "/s", AtLeast: 3, measure: rereadImage},
		{Name: "memory layer: create, stat, read, remove 100,000 small files", Unit: "/s", AtLeast: 2, measure: churnMemory},
		{Name: "start with an image of 3 MB (left), of 200 MB in 20,000 files", Unit: "ms", AtMostMore: 1, measure: startImages},
		{Name: "memory of a VM with an image of 3 MB (left), of 1 GB, unread", Unit: "MiB", AtMostMore: 1, measure: idleMemory},
	}
}

// tree makes a directory of `count` files of `bytes` each, 1,000 in a directory, once.
func tree(o options, name string, count, bytes int) (string, error) {
	dir := filepath.Join(o.dir, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	content := make([]byte, bytes)
	for i := 0; i < count; i++ {
		below := filepath.Join(dir, "files", strconv.Itoa(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(below, 0o755); err != nil {
				return "", err
			}
		}
		if err := os.WriteFile(filepath.Join(below, strconv.Itoa(i)), content, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// image makes an EROFS file of such a tree, once.
func image(o options, name string, count, bytes int) (string, error) {
	path := filepath.Join(o.dir, name+".erofs")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir, err := tree(o, name, count, bytes)
	if err != nil {
		return "", err
	}
	if output, err := exec.Command("mkfs.erofs", "--quiet", path, dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mkfs.erofs: %v %.200s", err, output)
	}
	return path, nil
}

func figure(o options, inVM bool, args, flags []string) (float64, error) {
	spec := machine.Program{Path: filepath.Join(o.programs, "smallfiles"), Args: args}
	platform := machine.Native
	if inVM {
		platform, spec.Flags = o.platform, flags
	}
	cmd := machine.Command(platform, o.root, spec)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	timedOut, err := machine.Wait(cmd, limit)
	value, parseError := strconv.ParseFloat(strings.TrimSpace(stdout.String()), 64)
	if err != nil || timedOut || parseError != nil || machine.Status(cmd) != 0 {
		return 0, fmt.Errorf("%v: status %d, stderr %q", args, machine.Status(cmd), stderr.String())
	}
	return value, nil
}

func rereadImage(o options, inVM bool) (float64, error) {
	path, err := image(o, "small", 1000, 3000)
	if err != nil {
		return 0, err
	}
	dir := "/files/0"
	if !inVM {
		dir = filepath.Join(o.dir, "small", "files", "0")
	}
	return figure(o, inVM, []string{"reread", dir}, []string{"--rootfs", path, "--mem", "1G"})
}

func churnMemory(o options, inVM bool) (float64, error) {
	dir := "/data"
	if !inVM {
		dir = filepath.Join(o.dir, "churn")
	}
	return figure(o, inVM, []string{"churn", dir}, []string{"--mem", "2G", "--fs-size", "1500M"})
}

// imageOf: the small image on the left, a large one on the right.
func imageOf(o options, large bool, name string, count, bytes int) (string, error) {
	if large {
		return image(o, name, count, bytes)
	}
	return image(o, "small", 1000, 3000)
}

// start gives the milliseconds until a program has said something.
func startImages(o options, large bool) (float64, error) {
	path, err := imageOf(o, large, "large", 20_000, 10_000)
	if err != nil {
		return 0, err
	}
	var times []float64
	for i := 0; i < 15; i++ {
		cmd := machine.Command(o.platform, o.root, machine.Program{Path: filepath.Join(o.programs, "hello"),
			Flags: []string{"--rootfs", path, "--cpus", "1"}})
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		_, err = stdout.Read(make([]byte, 1))
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
		machine.Wait(cmd, limit)
		if err != nil {
			return 0, err
		}
	}
	sort.Float64s(times)
	return times[len(times)/2], nil
}

// idleMemory gives the MiB that a VM takes which has not read its files.
func idleMemory(o options, large bool) (float64, error) {
	path, err := imageOf(o, large, "huge", 1000, 1<<20)
	if err != nil {
		return 0, err
	}
	cmd := machine.Command(o.platform, o.root, machine.Program{Path: filepath.Join(o.programs, "smallfiles"),
		Args: []string{"wait"}, Flags: []string{"--rootfs", path, "--cpus", "1"}})
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer machine.Wait(cmd, limit)
	defer stdin.Close()
	if _, err := stdout.Read(make([]byte, 6)); err != nil {
		return 0, err
	}
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(content), "\n") {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "Rss:" {
			kibibytes, err := strconv.ParseFloat(words[1], 64)
			return kibibytes / 1024, err
		}
	}
	return 0, fmt.Errorf("no Rss in smaps_rollup")
}
