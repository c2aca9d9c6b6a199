// Arguments and environment reach the program unchanged.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, arg := range os.Args[1:] {
		fmt.Printf("[%s]", arg)
	}
	fmt.Println()
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "TEST_") {
			fmt.Println(pair)
		}
	}
	if os.Args[0] == "" {
		fmt.Println("no program name")
	}
}
