// The ways in which a Go program ends itself: each with status 2, or 1 for
// log.Fatal, and a message and trace on stderr.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"sync"
)

type node struct{ next *node }

var sink int

func recurse(depth int) int {
	var room [1024]byte
	room[depth%1024] = 1
	return recurse(depth+1) + int(room[0])
}

func main() {
	fmt.Println("started")
	switch os.Args[1] {
	case "panic":
		panic("on purpose")
	case "panic-in-goroutine":
		go panic("elsewhere")
		select {}
	case "nil":
		var n *node
		sink = len(fmt.Sprint(n.next))
	case "address":
		n := (*[1 << 40]byte)(nil)
		sink = int(n[1<<38])
	case "deadlock":
		select {}
	case "overflow":
		debug.SetMaxStack(16 << 20)
		sink = recurse(0)
	case "map":
		m := map[int]int{}
		for i := 0; i < 4; i++ {
			go func() {
				for {
					m[1]++
				}
			}()
		}
		select {}
	case "unlock":
		var mutex sync.Mutex
		mutex.Unlock()
	case "log":
		log.Fatal("giving up")
	}
}
