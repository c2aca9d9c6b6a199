// Signals that arrive while system calls return, at every instruction of the way: the
// handler's frame must show the program, never the kernel's code.
package main

import (
	"sync/atomic"
	"syscall"
	"time"

	"burrow/tests/check"
)

func main() {
	var stop, calls int64
	for i := 0; i < 4; i++ {
		go func() {
			for atomic.LoadInt64(&stop) == 0 {
				syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
				syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0)
				atomic.AddInt64(&calls, 1)
			}
		}()
	}
	pid := syscall.Getpid()
	end := time.Now().Add(2 * time.Second)
	for time.Now().Before(end) {
		check.NoError("kill", syscall.Kill(pid, syscall.SIGURG))
		for i := 0; i < 2000; i++ {
			syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
		}
	}
	atomic.StoreInt64(&stop, 1)
	check.That(atomic.LoadInt64(&calls) > 0, "no calls were made")
	check.OK()
}
