// Signals by the thousand, to the process and to single threads, while other
// goroutines work; none may be lost for good and nothing may break.
//
// How many arrive says little: pending signals of one kind are one, in the kernel and
// again in the Go runtime, and on one CPU whole bursts become one. But every burst
// must bring at least one signal of each kind, and so must single ones at the end.
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

const bursts = 50

var kinds = [2]syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}

var seen [2]int64

func load() (counts [2]int64) {
	for k := range counts {
		counts[k] = atomic.LoadInt64(&seen[k])
	}
	return
}

// arrivedSince waits until more of each kind were seen than `before` says.
func arrivedSince(before [2]int64) bool {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		now := load()
		if now[0] > before[0] && now[1] > before[1] {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// settle waits until no signal has been seen for a while: all that were sent are counted.
func settle() {
	for last, quiet := load(), 0; quiet < 20; quiet++ {
		time.Sleep(5 * time.Millisecond)
		if now := load(); now != last {
			last, quiet = now, 0
		}
	}
}

func work(stop *int64) {
	for atomic.LoadInt64(stop) == 0 {
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
}

func send(i, pid, tid int) {
	switch i % 4 {
	case 0:
		check.NoError("kill", syscall.Kill(pid, kinds[0]))
	case 1:
		check.NoError("tgkill", syscall.Tgkill(pid, tid, kinds[1]))
	case 2:
		check.NoError("tgkill URG", syscall.Tgkill(pid, tid, syscall.SIGURG))
	case 3:
		check.NoError("kill URG", syscall.Kill(pid, syscall.SIGURG))
	}
	if i%100 == 0 {
		time.Sleep(50 * time.Microsecond)
	}
}

func main() {
	total := 20000
	if len(os.Args) > 1 {
		total, _ = strconv.Atoi(os.Args[1])
	}
	received := make(chan os.Signal, 1024)
	signal.Notify(received, kinds[0], kinds[1])
	go func() {
		for s := range received {
			k := 0
			if s == kinds[1] {
				k = 1
			}
			atomic.AddInt64(&seen[k], 1)
		}
	}()
	var stop int64
	for i := 0; i < 2; i++ {
		go work(&stop) // that is interrupted
	}
	runtime.LockOSThread()
	pid, tid := syscall.Getpid(), syscall.Gettid()
	for burst := 0; burst < bursts; burst++ {
		before := load()
		for i := 0; i < total/bursts; i++ {
			send(i, pid, tid)
		}
		check.That(arrivedSince(before), "burst %d: had %v, now %v", burst, before, load())
	}
	atomic.StoreInt64(&stop, 1)
	settle()
	for i := 0; i < 100; i++ {
		before := load()
		send(0, pid, tid)
		send(1, pid, tid)
		check.That(arrivedSince(before), "single signals %d: had %v, now %v", i, before, load())
	}
	sent := int64(total/4 + 100)
	now := load()
	check.That(now[0] <= sent && now[1] <= sent, "%v arrived of %d sent of each kind", now, sent)
	check.OK()
}
