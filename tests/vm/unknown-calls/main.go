// A system call that is not there gives ENOSYS; --verbose counts them at the end.
package main

import (
	"syscall"

	"burrow/tests/check"
)

func main() {
	for i := 0; i < 3; i++ {
		_, _, errno := syscall.Syscall(4242, 1, 2, 3)
		check.Equal("call 4242", errno, syscall.ENOSYS)
	}
	check.OK()
}
