// Package check holds what the self-checking test programs share: a failed check
// says what was seen and ends the program with status 1; OK prints the one line
// that the runner expects.
package check

import (
	"fmt"
	"os"
	"runtime"
)

// Fail reports and ends the program.
func Fail(format string, args ...interface{}) {
	where := ""
	for depth := 1; depth < 4; depth++ {
		if _, file, line, ok := runtime.Caller(depth); ok && len(file) > 8 && file[len(file)-8:] != "check.go" {
			where = fmt.Sprintf("%s:%d: ", file, line)
			break
		}
	}
	fmt.Fprintf(os.Stderr, where+format+"\n", args...)
	os.Exit(1)
}

// That fails with the message unless condition holds.
func That(condition bool, format string, args ...interface{}) {
	if !condition {
		Fail(format, args...)
	}
}

// Equal compares two values of a comparable type.
func Equal(what string, got, want interface{}) {
	if got != want {
		Fail("%s: got %v, want %v", what, got, want)
	}
}

// NoError fails if err is one.
func NoError(what string, err error) {
	if err != nil {
		Fail("%s: %v", what, err)
	}
}

// OK is the last call of a test program.
func OK() {
	fmt.Println("ok")
}
