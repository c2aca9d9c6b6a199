// Measures what the README's table says: each row natively and in a VM, in turn, in
// the same run, medians of several rounds, with the ratio and its limit.
//
//	bench [-platform kvm|qemu] [-rounds N] [-rows REGEXP] [-json FILE] [-strict]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"burrow/tests/machine"
)

type options struct {
	root     string
	platform machine.Platform
	rounds   int
	rows     *regexp.Regexp
	programs string // directory of the built programs
}

func main() {
	platform := flag.String("platform", "", "kvm or qemu; default: kvm if usable, else qemu")
	rounds := flag.Int("rounds", 7, "how often each row is measured")
	rows := flag.String("rows", "", "only rows whose name matches")
	jsonPath := flag.String("json", "", "also write the results to this file")
	strict := flag.Bool("strict", false, "status 1 if a row misses its limit")
	flag.Parse()

	root, err := machine.Root()
	exitOn(err)
	opts := options{root: root, rounds: *rounds, platform: machine.Platform(*platform)}
	opts.rows, err = regexp.Compile(*rows)
	exitOn(err)
	if opts.platform == "" {
		opts.platform = machine.KVM
		if machine.Unusable(machine.KVM, root) != "" {
			opts.platform = machine.QEMU
		}
	}
	if why := machine.Unusable(opts.platform, root); why != "" {
		exitOn(fmt.Errorf("platform %s: %s", opts.platform, why))
	}
	opts.programs = filepath.Join(root, "build", "bench")
	exitOn(os.MkdirAll(opts.programs, 0o755))
	build := machine.GoCommand(root, "bench", "build", "-buildvcs=false", "-o", opts.programs+"/", "./programs/...")
	if output, err := build.CombinedOutput(); err != nil {
		exitOn(fmt.Errorf("programs do not build: %v\n%s", err, output))
	}

	description := describeMachine()
	fmt.Println(description)
	fmt.Printf("platform %s, medians of %d rounds, native and VM in turn\n\n", opts.platform, opts.rounds)
	results := measureAll(opts)
	missed := printTable(results)
	if *jsonPath != "" {
		content, err := json.MarshalIndent(map[string]interface{}{
			"machine": description, "platform": string(opts.platform), "rounds": opts.rounds, "rows": results,
		}, "", " ")
		exitOn(err)
		exitOn(os.WriteFile(*jsonPath, append(content, '\n'), 0o644))
	}
	if *strict && missed > 0 {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

// describeMachine says what the numbers were measured on.
func describeMachine() string {
	read := func(path string) string {
		content, _ := os.ReadFile(path)
		return string(content)
	}
	first := func(pattern, text string) string {
		if match := regexp.MustCompile(pattern).FindStringSubmatch(text); match != nil {
			return strings.TrimSpace(match[1])
		}
		return "unknown"
	}
	run := func(name string, args ...string) string {
		output, _ := exec.Command(name, args...).Output()
		return strings.TrimSpace(strings.SplitN(string(output), "\n", 2)[0])
	}
	cpuinfo := read("/proc/cpuinfo")
	return fmt.Sprintf("%s, %d cpus, %s kB memory\nLinux %s, %s, load %s\n%s; huge pages %s",
		first(`model name\s*: (.*)`, cpuinfo), strings.Count(cpuinfo, "processor\t"),
		first(`MemTotal:\s*(\d+)`, read("/proc/meminfo")), strings.TrimSpace(read("/proc/sys/kernel/osrelease")),
		run("go", "version"), strings.Join(strings.Fields(read("/proc/loadavg"))[:3], " "),
		run("qemu-system-x86_64", "--version"), first(`\[(\w+)\]`, read("/sys/kernel/mm/transparent_hugepage/enabled")))
}
