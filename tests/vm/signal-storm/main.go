// Signals by the thousand, to the process and to single threads, while other
// goroutines work; none may be lost for good and nothing may break.
package main

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"burrow/tests/check"
)

func main() {
	total := 20000
	if len(os.Args) > 1 {
		total, _ = strconv.Atoi(os.Args[1])
	}
	received := make(chan os.Signal, 1024)
	signal.Notify(received, syscall.SIGUSR1, syscall.SIGUSR2)
	var seen, stop int64
	go func() {
		for range received {
			atomic.AddInt64(&seen, 1)
		}
	}()
	for i := 0; i < 2; i++ {
		go func() { // work that is interrupted
			for atomic.LoadInt64(&stop) == 0 {
				m := map[int]float64{}
				for k := 0; k < 1000; k++ {
					m[k] = float64(k) * 1.5
				}
				sum := 0.0
				for k := 0; k < 1000; k++ {
					sum += m[k]
				}
				check.That(sum == 749250, "sum is %v", sum)
			}
		}()
	}
	runtime.LockOSThread()
	pid, tid := syscall.Getpid(), syscall.Gettid()
	for i := 0; i < total; i++ {
		switch i % 4 {
		case 0:
			check.NoError("kill", syscall.Kill(pid, syscall.SIGUSR1))
		case 1:
			check.NoError("tgkill", syscall.Tgkill(pid, tid, syscall.SIGUSR2))
		case 2:
			check.NoError("tgkill URG", syscall.Tgkill(pid, tid, syscall.SIGURG))
		case 3:
			check.NoError("kill URG", syscall.Kill(pid, syscall.SIGURG))
		}
		if i%100 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	for i := 0; i < 500 && atomic.LoadInt64(&seen) < int64(total/200); i++ {
		time.Sleep(10 * time.Millisecond)
	}
	atomic.StoreInt64(&stop, 1)
	check.That(atomic.LoadInt64(&seen) >= int64(total/200), "only %d signals of %d arrived", seen, total/2)
	check.OK()
}
