// Standard input to standard output, and what lies around that.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	switch os.Args[1] {
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "bytes": // one read at a time, as a program does that parses
		in, out := bufio.NewReaderSize(os.Stdin, 16), bufio.NewWriterSize(os.Stdout, 16)
		for {
			b, err := in.ReadByte()
			if err != nil {
				break
			}
			out.WriteByte(b)
		}
		out.Flush()
	case "both":
		for i := 0; i < 1000; i++ {
			fmt.Fprintf(os.Stdout, "out %d\n", i)
			fmt.Fprintf(os.Stderr, "err %d\n", i)
		}
	case "lines": // an answer to each line before the next one is asked for
		fmt.Println("ready")
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Printf("<%s>\n", in.Text())
		}
		fmt.Println("end")
	case "read-twice": // end of file again and again
		for i := 0; i < 3; i++ {
			n, err := os.Stdin.Read(make([]byte, 10))
			fmt.Println(n, err)
		}
	case "ignore-input":
		fmt.Println("done")
	}
}
