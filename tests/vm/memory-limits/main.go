// Running out of memory is an error or one clear line and a status, never a hang.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

var keep [][]byte

func main() {
	switch os.Args[1] {
	case "heap": // what Go does when the kernel has no more
		debug.SetMemoryLimit(1 << 62)
		for {
			piece := make([]byte, 8<<20)
			for i := 0; i < len(piece); i += 4096 {
				piece[i] = 1
			}
			keep = append(keep, piece)
		}
	case "touch": // pages of a mapping that was granted
		memory, err := syscall.Mmap(-1, 0, 1<<34, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
		if err != nil {
			fmt.Println("refused:", err)
			os.Exit(4)
		}
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
	case "fit": // most of the machine's memory can be used
		memory := make([]byte, 160<<20)
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
		fmt.Println("fits")
	case "gc": // garbage is collected in time
		for i := 0; i < 2000; i++ {
			keep = append(keep[:0], make([]byte, 1<<20))
			keep[0][i] = 1
		}
		fmt.Println("collected")
	}
}
