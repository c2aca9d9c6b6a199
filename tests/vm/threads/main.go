// Operating-system threads: locked goroutines, ping-pong, many at once, their end.
package main

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"burrow/tests/check"
)

func pingPong() {
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for n := range ping {
			pong <- n + 1
		}
		close(pong)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := 0; i < 5000; i++ {
		ping <- i
		check.Equal("pong", <-pong, i+1)
	}
	close(ping)
	<-pong
}

// many threads, each with its own id and its own signal mask.
func many() {
	const count = 200
	var wait, started sync.WaitGroup
	ids := make(chan int, count)
	release := make(chan bool)
	for i := 0; i < count; i++ {
		wait.Add(1)
		started.Add(1)
		go func() {
			defer wait.Done()
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			ids <- syscall.Gettid()
			started.Done()
			<-release
		}()
	}
	started.Wait()
	tasks, err := os.ReadDir("/proc/self/task")
	check.NoError("/proc/self/task", err)
	check.That(len(tasks) >= count, "%d tasks", len(tasks))
	close(release)
	wait.Wait()
	close(ids)
	seen := map[int]bool{}
	for id := range ids {
		check.That(!seen[id], "thread id %d twice", id)
		seen[id] = true
	}
	for i := 0; i < 200; i++ {
		if tasks, err = os.ReadDir("/proc/self/task"); err == nil && len(tasks) < 50 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	check.Fail("%d threads remain", len(tasks))
}

// again: threads come and go without the machine running out of anything.
func again() {
	for i := 0; i < 3000; i++ {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(done)
		}()
		<-done
	}
}

func blocked() {
	const count = 50
	var pipes [count][2]int
	var wait sync.WaitGroup
	for i := range pipes {
		check.NoError("pipe", syscall.Pipe(pipes[i][:]))
		wait.Add(1)
		go func(fd int) { // blocks a thread in the kernel
			defer wait.Done()
			n, err := syscall.Read(fd, make([]byte, 1))
			check.That(n == 1 && err == nil, "read: %d, %v", n, err)
		}(pipes[i][0])
	}
	time.Sleep(20 * time.Millisecond)
	for i := range pipes {
		_, err := syscall.Write(pipes[i][1], []byte{1})
		check.NoError("write", err)
	}
	wait.Wait()
}

func main() {
	if len(os.Args) > 1 {
		check.Equal("NumCPU", strings.Repeat("x", runtime.NumCPU()), os.Args[1])
		check.Equal("GOMAXPROCS", runtime.GOMAXPROCS(0), len(os.Args[1]))
		check.OK()
		return
	}
	pingPong()
	many()
	again()
	blocked()
	check.OK()
}
