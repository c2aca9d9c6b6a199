package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

const timeLimit = 3 * time.Minute

// monitorCommand starts the monitor itself, as burrow run would.
func monitorCommand(opts options, program string, args ...string) *exec.Cmd {
	release := filepath.Dir(machine.Burrow(opts.root))
	full := append([]string{"--kernel", filepath.Join(release, "kernel.elf"), "--mem", "512M", "--cpus", "1", "--", program}, args...)
	return exec.Command(filepath.Join(release, "burrow-monitor"), full...)
}

func (o options) program(name string) string {
	return filepath.Join(o.programs, name)
}

// startTimes runs a command and gives the milliseconds until the first byte of its
// output and until it was reaped.
func startTimes(cmd *exec.Cmd) (first, reaped float64, err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	defer reader.Close()
	cmd.Stdout = writer
	start := time.Now()
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return 0, 0, err
	}
	n, _ := reader.Read(make([]byte, 1))
	first = milliseconds(time.Since(start))
	io.Copy(io.Discard, reader)
	timedOut, err := machine.Wait(cmd, timeLimit)
	reaped = milliseconds(time.Since(start))
	if err != nil || timedOut || n != 1 || machine.Status(cmd) != 0 {
		return 0, 0, fmt.Errorf("%s: status %d, %d bytes, %v", machine.Shell(cmd), machine.Status(cmd), n, err)
	}
	return first, reaped, nil
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1e6
}

// measureStart times the monitor's start, each round many times: starts are short.
func measureStart(toFirstByte bool) func(options, *row) error {
	return func(opts options, r *row) error {
		if opts.platform != machine.KVM {
			return fmt.Errorf("the monitor needs KVM")
		}
		for i := 0; i < opts.rounds*5; i++ {
			for _, inVM := range []bool{false, true} {
				cmd := exec.Command(opts.program("hello"))
				if inVM {
					cmd = monitorCommand(opts, opts.program("hello"))
				}
				first, reaped, err := startTimes(cmd)
				if err != nil {
					return err
				}
				value := reaped
				if toFirstByte {
					value = first
				}
				if inVM {
					r.VM = append(r.VM, value)
				} else {
					r.Native = append(r.Native, value)
				}
			}
		}
		return nil
	}
}

func measureBurrowRun(opts options, r *row) error {
	for i := 0; i < opts.rounds; i++ {
		for _, platform := range []machine.Platform{machine.Native, opts.platform} {
			spec := machine.Program{Path: opts.program("hello"), Flags: []string{"--cpus", "1"}}
			_, reaped, err := startTimes(machine.Command(platform, opts.root, spec))
			if err != nil {
				return err
			}
			if platform == machine.Native {
				r.Native = append(r.Native, reaped)
			} else {
				r.VM = append(r.VM, reaped)
			}
		}
	}
	return nil
}

func measureQEMUStart(opts options, r *row) error {
	if why := machine.Unusable(machine.QEMU, opts.root); why != "" {
		return fmt.Errorf("%s", why)
	}
	for i := 0; i < opts.rounds; i++ {
		spec := machine.Program{Path: opts.program("hello"), Flags: []string{"--cpus", "1"}}
		first, _, err := startTimes(machine.Command(machine.QEMU, opts.root, spec))
		if err != nil {
			return err
		}
		r.VM = append(r.VM, first)
	}
	return nil
}

// measureReported runs a program that prints "NAME VALUE" about itself.
func measureReported(program, operation string, scale float64, flags ...string) func(options, *row) error {
	return func(opts options, r *row) error {
		for i := 0; i < opts.rounds; i++ {
			for _, platform := range []machine.Platform{machine.Native, opts.platform} {
				value, err := reported(opts, platform, program, operation, flags)
				if err != nil {
					return err
				}
				if platform == machine.Native {
					r.Native = append(r.Native, value*scale)
				} else {
					r.VM = append(r.VM, value*scale)
				}
			}
		}
		return nil
	}
}

func reported(opts options, platform machine.Platform, program, operation string, flags []string) (float64, error) {
	cmd := machine.Command(platform, opts.root, machine.Program{Path: opts.program(program), Args: []string{operation}, Flags: flags})
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	timedOut, err := machine.Wait(cmd, timeLimit)
	words := strings.Fields(stdout.String())
	if err != nil || timedOut || machine.Status(cmd) != 0 || len(words) != 2 || words[0] != operation {
		return 0, fmt.Errorf("%s: status %d, timed out %v, printed %q %q", machine.Shell(cmd), machine.Status(cmd), timedOut, stdout.String(), stderr.String())
	}
	return strconv.ParseFloat(words[1], 64)
}

// withIdle starts the idle program, waits until it has said that it is there and
// has come to rest, and hands over its process id.
func withIdle(opts options, inVM bool, look func(pid int) error) error {
	cmd := exec.Command(opts.program("idle"))
	if inVM {
		if opts.platform != machine.KVM {
			return fmt.Errorf("the monitor needs KVM")
		}
		cmd = monitorCommand(opts, opts.program("idle"))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err = stdout.Read(make([]byte, 6)); err == nil {
		time.Sleep(2 * time.Second)
		err = look(cmd.Process.Pid)
	}
	stdin.Close()
	machine.Wait(cmd, 10*time.Second)
	return err
}

// measureMemory adds up fields of /proc/PID/smaps_rollup.
func measureMemory(fields ...string) func(options, *row) error {
	return func(opts options, r *row) error {
		for i := 0; i < 3; i++ {
			for _, inVM := range []bool{false, true} {
				err := withIdle(opts, inVM, func(pid int) error {
					content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
					if err != nil {
						return err
					}
					kibibytes := 0.0
					for _, line := range strings.Split(string(content), "\n") {
						words := strings.Fields(line)
						for _, field := range fields {
							if len(words) == 3 && words[0] == field {
								value, err := strconv.ParseFloat(words[1], 64)
								if err != nil {
									return err
								}
								kibibytes += value
							}
						}
					}
					if inVM {
						r.VM = append(r.VM, kibibytes/1024)
					} else {
						r.Native = append(r.Native, kibibytes/1024)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// measureIdle counts the context switches of all threads over ten seconds.
func measureIdle(opts options, r *row) error {
	for _, inVM := range []bool{false, true} {
		err := withIdle(opts, inVM, func(pid int) error {
			before, err := contextSwitches(pid)
			if err != nil {
				return err
			}
			time.Sleep(10 * time.Second)
			after, err := contextSwitches(pid)
			if inVM {
				r.VM = append(r.VM, after-before)
			} else {
				r.Native = append(r.Native, after-before)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func contextSwitches(pid int) (total float64, err error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for _, line := range strings.Split(string(content), "\n") {
			words := strings.Fields(line)
			if len(words) == 2 && strings.HasSuffix(words[0], "voluntary_ctxt_switches:") {
				value, err := strconv.ParseFloat(words[1], 64)
				if err != nil {
					return 0, err
				}
				total += value
			}
		}
	}
	return total, nil
}

// measureKernelImage adds up what of the kernel's file is loaded.
func measureKernelImage(opts options, r *row) error {
	file, err := elf.Open(filepath.Join(filepath.Dir(machine.Burrow(opts.root)), "kernel.elf"))
	if err != nil {
		return err
	}
	defer file.Close()
	bytes := uint64(0)
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_LOAD {
			bytes += segment.Filesz
		}
	}
	r.VM = append(r.VM, float64(bytes)/(1<<20))
	return nil
}
