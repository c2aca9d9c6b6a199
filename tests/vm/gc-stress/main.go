// Garbage collection under memory pressure: much garbage, a live set that must
// stay intact, finalizers, big and small pieces, memory handed back.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"burrow/tests/check"
)

type tree struct {
	left, right *tree
	value       int
}

func build(depth, value int) *tree {
	if depth == 0 {
		return &tree{value: value}
	}
	return &tree{build(depth-1, 2*value), build(depth-1, 2*value+1), value}
}

func (t *tree) verify(value int) int {
	if t == nil {
		return 0
	}
	check.That(t.value == value, "node is %d, expected %d", t.value, value)
	return 1 + t.left.verify(2*value) + t.right.verify(2*value+1)
}

func main() {
	limit, rounds := 64, 30
	if len(os.Args) > 2 {
		limit, _ = strconv.Atoi(os.Args[1])
		rounds, _ = strconv.Atoi(os.Args[2])
	}
	debug.SetMemoryLimit(int64(limit) << 20)
	debug.SetGCPercent(50)
	live := build(14, 1)
	var wait sync.WaitGroup
	for w := 0; w < 4; w++ {
		wait.Add(1)
		go func(w int) {
			defer wait.Done()
			table := map[string][]byte{}
			for i := 0; i < rounds; i++ {
				check.Equal("garbage tree", build(10, 1).verify(1), 2047)
				big := make([]byte, 1<<20+i*4096)
				for at := 0; at < len(big); at += 4096 {
					check.That(big[at] == 0, "fresh memory is not zero at %d", at)
					big[at] = 0xff
				}
				for k := 0; k < 200; k++ {
					key := strconv.Itoa(k)
					table[key] = append(table[key][:0:0], make([]byte, 100+k)...)
				}
				if i%10 == w {
					debug.FreeOSMemory()
				}
			}
		}(w)
	}
	wait.Wait()
	check.Equal("live tree", live.verify(1), 1<<15-1)

	var finalized int32
	for i := 0; i < 100; i++ {
		runtime.SetFinalizer(build(3, i), func(*tree) { atomic.AddInt32(&finalized, 1) })
	}
	for i := 0; i < 100 && atomic.LoadInt32(&finalized) < 90; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	check.That(atomic.LoadInt32(&finalized) >= 90, "only %d finalizers ran", finalized)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	check.That(stats.NumGC > 3, "only %d collections", stats.NumGC)
	check.OK()
}
