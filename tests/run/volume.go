package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"burrow/tests/machine"
)

// Modes of tests/volume/files, each on a fresh volume, with what else its VM needs.
var volumeModes = []struct {
	name  string
	flags []string
	size  string // of the volume
	modes []string
}{
	{"mappings", nil, "64M", []string{"mappings", "private", "bus"}},
	{"direct", nil, "64M", []string{"direct"}},
	{"parallel", []string{"--cpus", "2"}, "64M", []string{"parallel"}},
	{"random", nil, "64M", []string{"random"}},
	{"random-small-blocks", nil, "64M", []string{"random", "mappings", "holes"}},
	{"large", []string{"--mem", "96M"}, "256M", []string{"large"}},
	{"pressure", []string{"--mem", "128M"}, "160M", []string{"pressure"}},
	{"full", nil, "32M", []string{"full"}},
	{"names", nil, "64M", []string{"names", "nameless", "holes"}},
	{"kept", nil, "64M", []string{"kept-write", "kept-read"}},
	{"small-files", []string{"--mem", "64M"}, "128M", []string{"small-files"}},
	// Its heap alone takes some 80 MB; QEMU's VM holds the default files beside it.
	{"stress", []string{"--cpus", "2", "--mem", "192M"}, "60M", []string{"stress"}},
}

// runVolume has VMs with ext4 volumes: files on them are as on Linux, and e2fsck finds nothing.
func runVolume(opts options, report *report) error {
	programs, err := buildSuite(opts, "volume", report)
	if err != nil {
		return err
	}
	why := ""
	tools := map[string]string{}
	for _, tool := range []string{"e2fsck", "mke2fs"} {
		tools[tool] = filepath.Join("/usr/sbin", tool)
		if path, err := exec.LookPath(tool); err == nil {
			tools[tool] = path
		}
		if _, err := os.Stat(tools[tool]); err != nil {
			why = "no " + tool + "; apt-get install e2fsprogs"
		}
	}
	var tasks []task
	for _, p := range programs {
		for _, platform := range opts.platforms {
			if platform == machine.Native || p.test != "files" {
				continue
			}
			for _, mode := range volumeModes {
				mode, platform, program := mode, platform, p.path
				tasks = append(tasks, task{name: taskName("volume", mode.name, "default", platform), skip: why, run: func() string {
					return inMemory(func(dir string) string {
						t := volumeTest{opts: opts, program: program, dir: dir, tools: tools}
						return t.modes(platform, mode.name, mode.size, mode.flags, mode.modes)
					})
				}})
			}
			tasks = append(tasks, task{name: taskName("volume", "killed", "default", machine.KVM), skip: why, run: func() string {
				return inMemory(func(dir string) string {
					t := volumeTest{opts: opts, program: p.path, dir: dir, tools: tools}
					return t.killed()
				})
			}})
		}
	}
	runTasks(opts, report, tasks)
	return nil
}

func (t volumeTest) modes(platform machine.Platform, name, size string, flags, modes []string) string {
	create := exec.Command(machine.Burrow(t.opts.root), "volume", "create", t.path("volume"), size)
	if name == "random-small-blocks" {
		create = exec.Command(t.tools["mke2fs"], "-q", "-t", "ext4", "-b", "1024", t.path("volume"), size)
	}
	if output, err := create.CombinedOutput(); err != nil {
		return string(output)
	}
	for _, mode := range modes {
		run := diskRun{flags: append([]string{"--disk", "data={}/volume:/data"}, flags...),
			args: []string{mode, "/data"}, stdout: "ok\n"}
		if wrong := run.on(t.opts, platform, t.program, t.dir); wrong != "" {
			return mode + ": " + wrong
		}
		if wrong := t.fsck(false); wrong != "" {
			return mode + ": " + wrong
		}
	}
	return ""
}

// killed: the monitor is killed in the middle of everything, several times on one volume.
func (t volumeTest) killed() string {
	if wrong := t.create(); wrong != "" {
		return wrong
	}
	random, seed := seeded()
	for round := 0; round < 4; round++ {
		mode := []string{"parallel", "random", "names", "mappings"}[round%4]
		run := diskRun{flags: []string{"--disk", "data={}/volume:/data"}, args: []string{mode, "/data"}}
		cmd := run.command(t.opts, machine.KVM, t.program, t.dir)
		if err := cmd.Start(); err != nil {
			return err.Error()
		}
		time.Sleep(time.Duration(100+random.Intn(900)) * time.Millisecond)
		machine.End(cmd)
		if _, err := machine.Wait(cmd, diskLimit); err != nil && cmd.ProcessState == nil {
			return err.Error()
		}
		if wrong := t.fsck(true); wrong != "" {
			return fmt.Sprintf("round %d, seed %d: %s", round, seed, wrong)
		}
		clean := diskRun{flags: run.flags, args: []string{"holes", "/data"}, stdout: "ok\n"}
		if wrong := clean.on(t.opts, machine.KVM, t.program, t.dir); wrong != "" {
			return fmt.Sprintf("round %d, seed %d: %s", round, seed, wrong)
		}
		if wrong := t.fsck(false); wrong != "" {
			return fmt.Sprintf("round %d, seed %d: %s", round, seed, wrong)
		}
	}
	return ""
}
