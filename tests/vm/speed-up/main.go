// Two threads do twice the work of one when there are two cpus.
package main

import (
	"runtime"
	"sync"
	"time"

	"burrow/tests/check"
)

var sinks [64]uint64

func spin(n int, slot int) {
	x := uint64(n)
	for i := 0; i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	sinks[slot*8] = x
}

func timed(workers int) time.Duration {
	const work = 150000000
	start := time.Now()
	var wait sync.WaitGroup
	for i := 0; i < workers; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			spin(work/workers, i)
		}(i)
	}
	wait.Wait()
	return time.Since(start)
}

func main() {
	best := 0.0
	for i := 0; i < 12 && best < 1.6; i++ {
		if ratio := float64(timed(1)) / float64(timed(2)); ratio > best {
			best = ratio
		}
	}
	if runtime.NumCPU() >= 2 {
		check.That(best > 1.4, "two workers are only %.2f times as fast as one", best)
	}
	check.OK()
}
