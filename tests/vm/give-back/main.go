// Uses much memory, frees it, waits, and looks at what it gets when it uses as much again.
// Line by line on standard input: the host measures in between.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

const (
	blockBytes = 4 << 20
	blockCount = 75 // 300 MiB in all
)

var input = bufio.NewReader(os.Stdin)

func main() {
	switch os.Args[1] {
	case "heap":
		heap := make([][]byte, blockCount)
		for i := range heap {
			heap[i] = make([]byte, blockBytes)
			fill(heap[i])
		}
		step("used", "free\n")
		runtime.KeepAlive(heap)
		heap = nil
		debug.FreeOSMemory()
	case "mapped":
		memory := mapped(blockCount * blockBytes)
		fill(memory)
		step("used", "free\n")
		syscall.Munmap(memory)
	case "churn":
		churn()
	}
	if os.Args[1] != "churn" {
		step("freed", "again\n")
	}
	check(mapped(20 * blockBytes))
	if os.Args[1] != "churn" {
		check(mapped((blockCount - 20) * blockBytes))
	}
	fmt.Println("all zero")
}

func step(done, next string) {
	fmt.Println(done)
	if line, err := input.ReadString('\n'); err != nil || line != next {
		fmt.Fprintln(os.Stderr, "read", line, err)
		os.Exit(1)
	}
}

func mapped(bytes int) []byte {
	memory, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return memory
}

func fill(memory []byte) {
	for i := range memory {
		memory[i] = 0xa5
	}
}

func check(memory []byte) {
	for i, b := range memory {
		if b != 0 {
			fmt.Fprintf(os.Stderr, "byte %d is %#x\n", i, b)
			os.Exit(1)
		}
	}
}

// churn frees and takes memory while it is being given back, in and out of step with it.
func churn() {
	for i := 0; i < 15; i++ {
		memory := mapped(20 * blockBytes)
		check(memory)
		fill(memory)
		syscall.Munmap(memory)
		time.Sleep(time.Duration(i*7%120+90) * time.Millisecond)
	}
}
