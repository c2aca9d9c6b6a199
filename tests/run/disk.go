package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"burrow/tests/machine"
)

const (
	diskLimit = 60 * time.Second
	diskBytes = 64 << 20
)

// A diskRun is one VM on the disk of a test.
type diskRun struct {
	flags  []string // {} is the test's own directory
	args   []string
	status int
	stdout string // exactly
	stderr string // a part of it; empty: nothing, unless it may tell something
	tells  bool
}

func onDisk(suffix string, args ...string) diskRun {
	return diskRun{flags: []string{"--disk", "data={}/disk" + suffix}, args: args, stdout: "ok\n"}
}

func refused(stderr string, flags ...string) diskRun {
	return diskRun{flags: flags, status: 125, stderr: stderr}
}

var diskTests = []struct {
	name string
	runs []diskRun
}{
	{"all", []diskRun{onDisk("")}},
	{"one-cpu", []diskRun{{flags: []string{"--cpus", "1", "--disk", "data={}/disk"}, stdout: "ok\n"}}},
	{"q35", []diskRun{{flags: []string{"--machine", "q35", "--disk", "data={}/disk"}, stdout: "ok\n"}}},
	{"read-only", []diskRun{onDisk(":ro", "read-only")}},
	{"kept", []diskRun{onDisk("", "keep"), onDisk("", "kept"), onDisk(":ro", "kept")}},
	{"missing-file", []diskRun{refused("no-such-file: No such file or directory; make it with burrow volume create", "--disk", "data={}/no-such-file")}},
	{"too-small", []diskRun{refused("smaller than a sector", "--disk", "data={}/empty")}},
	{"directory", []diskRun{refused("disk data: {}: ", "--disk", "data={}:ro")}},
	{"bad-name", []diskRun{refused("--disk a/b={}/disk: write NAME=FILE", "--disk", "a/b={}/disk")}},
	{"name-twice", []diskRun{refused("there is a disk data already", "--disk", "data={}/disk", "--disk", "data={}/other")}},
	{"no-file", []diskRun{refused("no file given", "--disk", "data=")}},
	{"file-twice", []diskRun{refused("is in use by another VM", "--disk", "data={}/disk", "--disk", "again={}/disk")}},
}

// runDisk has VMs with disks: what the program sees, and what is refused.
func runDisk(opts options, report *report) error {
	programs, err := buildSuite(opts, "disk", report)
	if err != nil {
		return err
	}
	var tasks []task
	for _, p := range programs {
		if p.test != "raw" {
			continue
		}
		for _, platform := range opts.platforms {
			if platform != machine.Native {
				tasks = append(tasks, diskTasks(opts, p.path, platform)...)
			}
		}
	}
	runTasks(opts, report, tasks)
	return nil
}

func diskTasks(opts options, program string, platform machine.Platform) (tasks []task) {
	for _, test := range diskTests {
		test := test
		if test.name == "q35" && platform == machine.KVM {
			continue
		}
		tasks = append(tasks, task{name: taskName("disk", test.name, "default", platform), run: func() string {
			return withDirectory(func(dir string) string {
				for _, run := range test.runs {
					if wrong := run.on(opts, platform, program, dir); wrong != "" {
						return wrong
					}
				}
				return ""
			})
		}})
	}
	tasks = append(tasks,
		task{name: taskName("disk", "mounting", "default", platform), skip: needsTools("mke2fs", "e2fsck"), run: func() string {
			return withDirectory(func(dir string) string { return mounting(opts, platform, program, dir) })
		}},
		task{name: taskName("disk", "host-device", "default", platform), skip: needsRoot(), run: func() string {
			return withDirectory(func(dir string) string { return hostDevice(opts, platform, program, dir) })
		}},
		task{name: taskName("disk", "in-use", "default", platform), run: func() string {
			return withDirectory(func(dir string) string { return secondVM(opts, platform, program, dir) })
		}},
		task{name: taskName("disk", "full-host", "default", platform), skip: needsRoot(), run: func() string {
			return withDirectory(func(dir string) string { return fullHost(opts, platform, program, dir) })
		}})
	return tasks
}

func needsRoot() string {
	if os.Getuid() != 0 {
		return "mounting a small file system needs root"
	}
	return ""
}

func needsTools(names ...string) string {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if _, err := os.Stat("/usr/sbin/" + name); err != nil {
				return "no " + name + "; apt-get install e2fsprogs"
			}
		}
	}
	return ""
}

// mounting: what cannot be mounted ends the machine before the program starts, with a line that
// says why, and leaves the volume as it was.
func mounting(opts options, platform machine.Platform, program, dir string) string {
	refusal := func(name, path, why string) diskRun {
		return diskRun{flags: []string{"--disk", "data={}/" + name + ":" + path}, status: 126, stderr: why}
	}
	if output, err := exec.Command(machine.Burrow(opts.root), "volume", "create", filepath.Join(dir, "volume"), "32M").CombinedOutput(); err != nil {
		return string(output)
	}
	damaged, err := os.ReadFile(filepath.Join(dir, "volume"))
	if err != nil {
		return err.Error()
	}
	copy(damaged[1024+0x10:], "damaged")
	if err := os.WriteFile(filepath.Join(dir, "damaged"), damaged, 0o600); err != nil {
		return err.Error()
	}
	runs := []diskRun{
		refusal("disk", "/data", "disk data: cannot mount it at /data: it holds no file system that is known here"),
		refusal("damaged", "/data", "disk data: cannot mount it at /data: its file system is damaged"),
		refusal("volume", "/dev/null", "disk data: cannot mount it at /dev/null: that is not a directory"),
		refusal("volume", "/dev", "disk data: cannot mount it at /dev: something else is mounted there"),
		{flags: []string{"--disk", "data={}/disk", "--disk", "volume={}/volume:/data:ro"}, args: []string{"keep"}, stdout: "ok\n"},
	}
	for _, run := range runs {
		if wrong := run.on(opts, platform, program, dir); wrong != "" {
			return wrong
		}
	}
	if output, err := exec.Command(machine.Burrow(opts.root), "volume", "check", filepath.Join(dir, "volume")).CombinedOutput(); err != nil {
		return string(output)
	}
	return ""
}

// hostDevice: a block device of the host, with sectors of 4096 bytes.
func hostDevice(opts options, platform machine.Platform, program, dir string) string {
	output, err := exec.Command("losetup", "-f", "--show", "-b", "4096", filepath.Join(dir, "disk")).CombinedOutput()
	if err != nil {
		return "" // no loop devices here, as in many containers
	}
	device := strings.TrimSpace(string(output))
	defer exec.Command("losetup", "-d", device).Run()
	for _, mode := range []string{"keep", "kept"} {
		run := diskRun{flags: []string{"--disk", "data=" + device}, args: []string{mode}, stdout: "ok\n"}
		if wrong := run.on(opts, platform, program, dir); wrong != "" {
			return wrong
		}
	}
	return ""
}

// withDirectory calls test with a directory in which disk is a sparse file, and empty is empty.
func withDirectory(test func(dir string) string) string {
	dir, err := os.MkdirTemp("", "burrow-disk-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	for name, bytes := range map[string]int64{"disk": diskBytes, "other": diskBytes, "empty": 0} {
		if err := sparseFile(filepath.Join(dir, name), bytes); err != nil {
			return err.Error()
		}
	}
	return test(dir)
}

func sparseFile(path string, bytes int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(bytes)
}

func (r diskRun) command(opts options, platform machine.Platform, program, dir string) *exec.Cmd {
	spec := machine.Program{Path: program, Args: r.args}
	for _, flag := range r.flags {
		spec.Flags = append(spec.Flags, strings.ReplaceAll(flag, "{}", dir))
	}
	return machine.Command(platform, opts.root, spec)
}

// on returns "" or a diagnosis.
func (r diskRun) on(opts options, platform machine.Platform, program, dir string) string {
	cmd := r.command(opts, platform, program, dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	timedOut, err := machine.Wait(cmd, diskLimit)
	wanted := strings.ReplaceAll(r.stderr, "{}", dir)
	if err == nil && !timedOut && machine.Status(cmd) == r.status && stdout.String() == r.stdout &&
		strings.Contains(stderr.String(), wanted) && (r.tells || (wanted != "") == (stderr.Len() > 0)) {
		return ""
	}
	return fmt.Sprintf("timed out %v, status %d (expected %d), stdout %q\nstderr: %s\nexpected: %s\ncommand: %s",
		timedOut, machine.Status(cmd), r.status, stdout.String(), stderr.String(), wanted, machine.Shell(cmd))
}

// secondVM: while one VM has a disk, another cannot have it, unless both only read.
func secondVM(opts options, platform machine.Platform, program, dir string) string {
	for _, suffix := range []string{"", ":ro"} {
		first := onDisk(suffix, "wait").command(opts, platform, program, dir)
		stdin, err := first.StdinPipe()
		if err != nil {
			return err.Error()
		}
		stdout, err := first.StdoutPipe()
		if err != nil {
			return err.Error()
		}
		if err := first.Start(); err != nil {
			return err.Error()
		}
		line := make([]byte, 6)
		if _, err := io.ReadFull(stdout, line); err != nil {
			machine.End(first)
			return "the first VM: " + err.Error()
		}
		second := refused("disk is in use by another VM", "--disk", "data={}/disk")
		wrong := second.on(opts, platform, program, dir)
		if wrong == "" && suffix != "" {
			wrong = onDisk(":ro", "read-only").on(opts, platform, program, dir)
		}
		stdin.Close()
		io.Copy(io.Discard, stdout)
		if timedOut, err := machine.Wait(first, diskLimit); wrong == "" && (timedOut || err != nil) {
			wrong = fmt.Sprintf("the first VM: timed out %v, %v", timedOut, err)
		}
		if wrong != "" {
			return wrong
		}
		// It is free as soon as the VM has ended.
		if wrong := onDisk("", "keep").on(opts, platform, program, dir); wrong != "" {
			return wrong
		}
	}
	return ""
}

// fullHost: a sparse file on a file system without room for it.
func fullHost(opts options, platform machine.Platform, program, dir string) string {
	small := filepath.Join(dir, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		return err.Error()
	}
	if output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small).CombinedOutput(); err != nil {
		return "mount: " + string(output)
	}
	defer exec.Command("umount", small).Run()
	if err := sparseFile(filepath.Join(small, "disk"), diskBytes); err != nil {
		return err.Error()
	}
	run := diskRun{flags: []string{"--disk", "data={}/small/disk"}, args: []string{"fill"}, stdout: "ok\n"}
	if platform == machine.KVM {
		run.stderr = "disk data: cannot write: No space left on device"
	}
	return run.on(opts, platform, program, dir)
}
