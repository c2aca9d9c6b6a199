// No fork and no exec: ENOSYS, and one line on the console that names the program.
package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"burrow/tests/check"
)

func main() {
	_, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	check.That(errors.Is(err, syscall.ENOSYS), "os.StartProcess: %v", err)
	err = exec.Command("/usr/bin/env", "a").Run()
	check.That(errors.Is(err, syscall.ENOSYS), "exec.Command: %v", err)
	err = syscall.Exec("/bin/sh", []string{"sh"}, nil)
	check.That(errors.Is(err, syscall.ENOSYS), "syscall.Exec: %v", err)
	_, _, errno := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
	check.Equal("fork", errno, syscall.ENOSYS)
	_, _, errno = syscall.RawSyscall(syscall.SYS_VFORK, 0, 0, 0)
	check.Equal("vfork", errno, syscall.ENOSYS)
	var status syscall.WaitStatus
	_, err = syscall.Wait4(-1, &status, 0, nil)
	check.Equal("wait4", err, syscall.ECHILD)
	check.OK()
}
