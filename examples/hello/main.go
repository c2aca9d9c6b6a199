// Hello prints what a program sees of the machine it runs on. Run it in a VM
// with `burrow run ./examples/hello` and natively with `go run .`: it is the
// same program.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	started := time.Now()
	where, sinceStart := place()
	fmt.Printf("Hello from %s.\n", where)
	if sinceStart > 0 {
		fmt.Printf("  main after   %v\n", sinceStart.Round(10*time.Microsecond))
	}
	fmt.Printf("  processors   %d (GOMAXPROCS %d)\n", runtime.NumCPU(), runtime.GOMAXPROCS(0))
	if total := memoryTotal(); total != "" {
		fmt.Printf("  memory       %s", total)
		if limit := debug.SetMemoryLimit(-1); limit < 1<<60 {
			fmt.Printf(" (the garbage collector keeps to %d MiB)", limit>>20)
		}
		fmt.Println()
	}
	fmt.Printf("  system       %s %s/%s, %s\n", system(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Printf("  time         %s\n", started.Format(time.RFC1123Z))
	if directory, err := os.Getwd(); err == nil {
		fmt.Printf("  directory    %s, process %d\n", directory, os.Getpid())
	}
	if len(os.Args) > 1 {
		fmt.Printf("  arguments    %q\n", os.Args[1:])
	}
}

// place says what this runs in and, in a VM, how long after its start main was reached.
// Burrow's kernel tells in /proc/burrow: lines of a name and a value.
func place() (string, time.Duration) {
	facts := readFacts("/proc/burrow")
	if facts == nil {
		return "a Linux process", 0
	}
	ns, _ := strconv.ParseInt(facts["since_start_ns"], 10, 64)
	where := "a VM"
	if platform := facts["platform"]; platform != "" {
		where += " on " + platform
	}
	return where, time.Duration(ns)
}

func memoryTotal() string {
	return readFacts("/proc/meminfo")["MemTotal:"]
}

func system() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "kernel unknown,"
	}
	return "kernel " + strings.TrimSpace(string(release)) + ","
}

// readFacts reads lines of a name, blanks and a value; nil if there is no such file.
func readFacts(path string) map[string]string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	facts := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		facts[name] = strings.TrimSpace(value)
	}
	return facts
}
