// What the tests of built files put into a file: does what its first argument says.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	mode := "args"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "args":
		fmt.Println(strings.Join(os.Args[1:], "|"))
	case "env":
		fmt.Println(os.Getenv(os.Args[2]))
	case "ours":
		for _, item := range os.Environ() {
			if strings.HasPrefix(item, "BURROW_") {
				fmt.Println(item)
			}
		}
	case "cwd":
		dir, err := os.Getwd()
		fmt.Println(dir, err)
	case "self":
		path, err := os.Executable()
		fmt.Println(os.Args[0], path, err)
	case "cat":
		data, err := os.ReadFile(os.Args[2])
		os.Stdout.Write(data)
		if err != nil {
			fmt.Println(err)
		}
	case "upper":
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println(strings.ToUpper(lines.Text()))
		}
	case "stdin":
		n, err := io.Copy(io.Discard, os.Stdin)
		fmt.Println(n, err)
	case "exit":
		status, _ := strconv.Atoi(os.Args[2])
		fmt.Fprintln(os.Stderr, "ends")
		os.Exit(status)
	case "wait":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready")
		fmt.Println(<-signals)
		os.Exit(3)
	case "listen":
		listener, err := net.Listen("tcp", os.Args[2])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		connection, err := listener.Accept()
		if err == nil {
			fmt.Fprintln(connection, "hello")
			connection.Close()
		}
	case "host":
		name, err := os.Hostname()
		fmt.Println(name, err)
	}
}
