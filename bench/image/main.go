// Measures built files: size, time to the first byte, many at once. make bench-image
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"burrow/tests/machine"
)

func main() {
	rounds := flag.Int("rounds", 31, "how often the first byte is measured")
	count := flag.Int("servers", 100, "servers at once")
	flag.Parse()
	if err := measure(*rounds, *count); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(rounds, count int) error {
	root, err := machine.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	hello, err := build(root, dir, "examples/hello", "hello")
	if err != nil {
		return err
	}
	program, err := build(root, dir, "tests/image/program", "program")
	if err != nil {
		return err
	}
	a, _ := os.Stat(hello)
	b, _ := os.Stat(hello + ".vm")
	fmt.Printf("size beyond the program        %8.2f MiB  (at most 1.5)\n", float64(b.Size()-a.Size())/(1<<20))
	native, vm := median(rounds, hello), median(rounds, hello+".vm")
	fmt.Printf("first byte: native, VM, ratio  %8.2f ms %8.2f ms %6.2f  (at most 2.5)\n", native, vm, vm/native)
	return many(program, count)
}

func build(root, dir, from, name string) (string, error) {
	path := filepath.Join(dir, name)
	command := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	command.Dir, command.Env = filepath.Join(root, from), append(machine.GoEnvironment(), "GO111MODULE=auto")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %v\n%s", from, err, output)
	}
	command = exec.Command(filepath.Join(root, "build/release/burrow"), "build", "-o", path+".vm", path)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("burrow build: %v\n%s", err, output)
	}
	return path, nil
}

// median of milliseconds to the first byte of output.
func median(rounds int, path string) float64 {
	var times []float64
	for i := 0; i < rounds; i++ {
		command := exec.Command(path)
		output, _ := command.StdoutPipe()
		start := time.Now()
		if command.Start() != nil {
			continue
		}
		reader := bufio.NewReader(output)
		reader.ReadByte()
		times = append(times, time.Since(start).Seconds()*1000)
		io.Copy(io.Discard, reader)
		command.Wait()
	}
	sort.Float64s(times)
	return times[len(times)/2]
}

// many starts servers that listen in their VMs and says how long until all do, and what
// memory each has for itself.
func many(program string, count int) error {
	var private [2]int64
	for i, path := range []string{program, program + ".vm"} {
		var commands []*exec.Cmd
		start := time.Now()
		ready := make(chan error, count)
		for n := 0; n < count; n++ {
			command := exec.Command(path, "listen", "127.0.0.1:0")
			output, _ := command.StdoutPipe()
			if err := command.Start(); err != nil {
				return err
			}
			commands = append(commands, command)
			go func() {
				_, err := bufio.NewReader(output).ReadString('\n')
				ready <- err
			}()
		}
		for range commands {
			if err := <-ready; err != nil {
				return fmt.Errorf("%s: %v", path, err)
			}
		}
		fmt.Printf("%d servers start, %-6s        %8.2f s  (at most 5)\n", count, []string{"native", "VM"}[i], time.Since(start).Seconds())
		time.Sleep(2 * time.Second)
		for _, command := range commands {
			private[i] += privateBytes(command.Process.Pid)
		}
		for _, command := range commands {
			command.Process.Kill()
			command.Wait()
		}
	}
	each := int64(count)
	fmt.Printf("private memory each: native, VM, ratio %d KiB %d KiB %.2f  (at most 1.2)\n",
		private[0]/each>>10, private[1]/each>>10, float64(private[1])/float64(private[0]))
	return nil
}

func privateBytes(pid int) (bytes int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 1 && strings.HasPrefix(fields[0], "Private_") {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			bytes += kilobytes << 10
		}
	}
	return bytes
}
