// Writes N MiB in pieces of 64 KiB, as fast as the reader takes it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

func main() {
	mebibytes, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	piece := bytes.Repeat([]byte("y\n"), 32<<10)
	for i := 0; i < mebibytes*16; i++ {
		if _, err := os.Stdout.Write(piece); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
}
