// Package machine starts one program on one platform: natively, as a plain
// process, or in a VM through the burrow command. To the caller all look alike:
// a process with standard streams, signals and an exit status.
package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Platform is where a program runs.
type Platform string

const (
	Native Platform = "native"
	KVM    Platform = "kvm"
	QEMU   Platform = "qemu"
)

// Program says what to run and with what; only Path is required.
type Program struct {
	Path string
	Args []string
	// Env is what the program is given; the host's own environment does not
	// reach it on any platform.
	Env []string
	// Flags are further flags of `burrow run`; ignored natively.
	Flags []string
	// Cwd is a directory of the guest, or of the host natively; "" is /tmp or
	// a fresh directory.
	Cwd string
}

// Root finds the project's directory: the nearest parent that holds tests/go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tests", "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("not inside the project: no tests/go.mod in any parent directory")
}

// Burrow is the path of the burrow command that tests use: $BURROW or the release build.
func Burrow(root string) string {
	if path := os.Getenv("BURROW"); path != "" {
		return path
	}
	return filepath.Join(root, "build", "release", "burrow")
}

// Unusable tells why a platform cannot be used on this machine, or "".
func Unusable(platform Platform, root string) string {
	if platform == Native {
		return ""
	}
	if _, err := os.Stat(Burrow(root)); err != nil {
		return "no " + Burrow(root) + ": run make first"
	}
	switch platform {
	case KVM:
		device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err != nil {
			return err.Error()
		}
		device.Close()
	case QEMU:
		if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
			return "no qemu-system-x86_64 in PATH"
		}
	default:
		return "unknown platform"
	}
	return ""
}

// nativeEnvironment is what a program finds in a VM too.
func nativeEnvironment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp"}
}

// Command prepares the process that runs program on platform. It leads a process
// group of its own, so that End can end everything that it starts.
func Command(platform Platform, root string, program Program) *exec.Cmd {
	var cmd *exec.Cmd
	if platform == Native {
		cmd = exec.Command(program.Path, program.Args...)
		cmd.Env = append(nativeEnvironment(), program.Env...)
		cmd.Dir = program.Cwd
	} else {
		args := []string{"run", "--platform", string(platform), "--clean-env"}
		for _, pair := range program.Env {
			args = append(args, "--env", pair)
		}
		if program.Cwd != "" {
			args = append(args, "--cwd", program.Cwd)
		}
		args = append(args, program.Flags...)
		args = append(args, program.Path)
		args = append(args, program.Args...)
		cmd = exec.Command(Burrow(root), args...)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// End ends the process group that a started command leads.
func End(cmd *exec.Cmd) {
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// Status is the exit status as a shell shows it: 128+n for a fatal signal.
func Status(cmd *exec.Cmd) int {
	if cmd.ProcessState == nil {
		return -1
	}
	wait := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return wait.ExitStatus()
}

// Wait waits for a started command; after limit it ends its process group and
// reports that the time ran out.
func Wait(cmd *exec.Cmd, limit time.Duration) (timedOut bool, err error) {
	var once sync.Once
	timer := time.AfterFunc(limit, func() {
		once.Do(func() { timedOut = true })
		End(cmd)
	})
	err = cmd.Wait()
	timer.Stop()
	once.Do(func() {}) // orders a late timer before the read of timedOut
	End(cmd)           // whatever it left behind
	if _, isExit := err.(*exec.ExitError); isExit {
		err = nil
	}
	return timedOut, err
}

// Shell renders a command so that it can be pasted into a shell.
func Shell(cmd *exec.Cmd) string {
	quoted := make([]string, len(cmd.Args))
	for i, arg := range cmd.Args {
		if arg == "" || strings.ContainsAny(arg, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		quoted[i] = arg
	}
	return strings.Join(quoted, " ")
}
