// os.Exit gives the process, and so the VM, its exit status.
package main

import (
	"os"
	"strconv"
)

func main() {
	status, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Exit(status)
}
