// Signals that the host sends to the VM arrive in the program.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	received := make(chan os.Signal, 8)
	switch os.Args[1] {
	case "notify":
		signal.Notify(received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGWINCH)
		fmt.Println("ready")
		fmt.Println("got", <-received)
	case "three":
		signal.Notify(received)
		fmt.Println("ready")
		for i := 0; i < 3; i++ {
			fmt.Println(i, <-received)
		}
	case "ignore":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(300 * time.Millisecond)
		fmt.Println("alive")
	case "wait":
		fmt.Println("ready")
		time.Sleep(time.Minute)
	case "spin":
		fmt.Println("ready")
		for {
		}
	}
}
