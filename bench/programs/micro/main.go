// Measures one operation at a time and prints nanoseconds for each: micro NAME...
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"syscall"
	"time"
	"unsafe"
)

var operations = map[string]func() float64{
	"getpid":        func() float64 { return perOperation(getpid) },
	"clock_gettime": func() float64 { return perOperation(clockGettime) },
	"vdso-clock":    func() float64 { return perOperation(vdsoClock) },
	"futex-wake":    func() float64 { return perOperation(futexWake) },
	"pipe":          func() float64 { return perOperation(pipe) },
	"channels":      func() float64 { return perOperation(channels) },
	"locked":        func() float64 { return perOperation(lockedThreads) },
	"sleep":         sleepOvershoot,
	"touch":         touch,
}

func main() {
	for _, name := range os.Args[1:] {
		operation := operations[name]
		if operation == nil {
			fmt.Fprintln(os.Stderr, "no operation", name)
			os.Exit(2)
		}
		fmt.Printf("%s %.1f\n", name, operation())
	}
}

// perOperation finds a count that takes about 100 ms, then gives the best of five
// rounds: noise only ever adds.
func perOperation(run func(n int)) float64 {
	n := 100
	for {
		start := time.Now()
		run(n)
		if took := time.Since(start); took > 50*time.Millisecond {
			break
		}
		n *= 2
	}
	best := time.Duration(1 << 62)
	for i := 0; i < 5; i++ {
		start := time.Now()
		run(n)
		if took := time.Since(start); took < best {
			best = took
		}
	}
	return float64(best.Nanoseconds()) / float64(n)
}

func getpid(n int) {
	for i := 0; i < n; i++ {
		syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0)
	}
}

func clockGettime(n int) {
	var now syscall.Timespec
	for i := 0; i < n; i++ {
		syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	}
}

func vdsoClock(n int) {
	for i := 0; i < n; i++ {
		time.Now()
	}
}

func futexWake(n int) {
	var word uint32
	for i := 0; i < n; i++ {
		syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 128|1, 1, 0, 0, 0)
	}
}

func pipe(n int) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	buffer := []byte{1}
	for i := 0; i < n; i++ {
		syscall.Write(ends[1], buffer)
		syscall.Read(ends[0], buffer)
	}
	syscall.Close(ends[0])
	syscall.Close(ends[1])
}

func pingPong(n int, locked bool) {
	ping, pong := make(chan bool), make(chan bool)
	go func() {
		if locked {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		for range ping {
			pong <- true
		}
		close(pong)
	}()
	if locked {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	for i := 0; i < n; i++ {
		ping <- true
		<-pong
	}
	close(ping)
	<-pong
}

func channels(n int)      { pingPong(n, false) }
func lockedThreads(n int) { pingPong(n, true) }

// sleepOvershoot is the median of what time.Sleep(1 ms) takes beyond it.
func sleepOvershoot() float64 {
	over := make([]float64, 300)
	for i := range over {
		start := time.Now()
		time.Sleep(time.Millisecond)
		over[i] = float64(time.Since(start).Nanoseconds() - 1000000)
	}
	sort.Float64s(over)
	return over[len(over)/2]
}

// touch writes a byte to each page of 1 GiB that was never used.
func touch() float64 {
	start := time.Now()
	memory, err := syscall.Mmap(-1, 0, 1<<30, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mmap:", err)
		os.Exit(1)
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	return float64(time.Since(start).Nanoseconds())
}
