// Ten thousand goroutines with channels, timers and locks, on several cpus.
package main

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"burrow/tests/check"
)

const count = 10000

// relay passes a number through a chain of goroutines.
func relay() {
	first := make(chan int)
	left := first
	for i := 0; i < count; i++ {
		right := make(chan int)
		go func(in, out chan int) { out <- 1 + <-in }(left, right)
		left = right
	}
	go func() { first <- 0 }()
	check.Equal("relay", <-left, count)
}

// timers: every goroutine sleeps, some timers are stopped, some are reset.
func timers() {
	var fired, stopped int64
	var wait sync.WaitGroup
	wait.Add(count)
	for i := 0; i < count; i++ {
		go func(i int) {
			defer wait.Done()
			switch i % 3 {
			case 0:
				time.Sleep(time.Duration(i%50) * time.Millisecond)
				atomic.AddInt64(&fired, 1)
			case 1:
				timer := time.NewTimer(time.Hour)
				if timer.Stop() {
					atomic.AddInt64(&stopped, 1)
				}
			case 2:
				timer := time.NewTimer(time.Hour)
				timer.Reset(time.Duration(i%20) * time.Millisecond)
				<-timer.C
				atomic.AddInt64(&fired, 1)
			}
		}(i)
	}
	wait.Wait()
	check.Equal("fired and stopped", fired+stopped, int64(count))
}

// selects: producers, consumers, deadlines, all at once.
func selects() {
	ctx, cancel := context.WithCancel(context.Background())
	work, results := make(chan int), make(chan int, 16)
	var wait sync.WaitGroup
	for i := 0; i < 100; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				select {
				case n := <-work:
					results <- n * 2
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		for i := 0; i < count; i++ {
			work <- i
		}
	}()
	sum := 0
	for i := 0; i < count; i++ {
		select {
		case n := <-results:
			sum += n
		case <-time.After(10 * time.Second):
			check.Fail("no result for 10 s after %d", i)
		}
	}
	check.Equal("sum", sum, count*(count-1))
	cancel()
	wait.Wait()
}

// locks: a map under a mutex, a counter under a read-write lock, a condition.
func locks() {
	var mutex sync.Mutex
	var lock sync.RWMutex
	var wait sync.WaitGroup
	m, counter := map[int]int{}, 0
	for i := 0; i < 200; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 100; j++ {
				mutex.Lock()
				m[j]++
				mutex.Unlock()
				if j%10 == 0 {
					lock.Lock()
					counter++
					lock.Unlock()
				} else {
					lock.RLock()
					_ = counter
					lock.RUnlock()
				}
				if i%7 == 0 {
					runtime.Gosched()
				}
			}
		}(i)
	}
	wait.Wait()
	check.Equal("m[50]", m[50], 200)
	check.Equal("counter", counter, 2000)
}

// preempted: goroutines that never yield do not keep the others from running.
func preempted() {
	var stop int32
	for i := 0; i < runtime.NumCPU()+1; i++ {
		go func() {
			for n := 0; atomic.LoadInt32(&stop) == 0; n++ {
			}
		}()
	}
	for i := 0; i < 20; i++ {
		time.Sleep(time.Millisecond)
	}
	runtime.GC() // stops the world, whatever they do
	atomic.StoreInt32(&stop, 1)
}

func main() {
	for i := 0; i < len(os.Args); i++ {
		relay()
		timers()
		selects()
		locks()
		preempted()
	}
	check.OK()
}
