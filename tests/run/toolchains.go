package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"burrow/tests/machine"
)

// olderToolchains are fetched by the go command through the module proxy; what
// cannot be fetched is skipped.
var olderToolchains = []string{"go1.21.13", "go1.22.12", "go1.23.12", "go1.24.6", "go1.25.0"}

// What differs between Go versions is the runtime: these exercise it.
var runtimeTests = []string{"hello", "goroutines", "gc-stress", "threads", "signal-storm", "go-fatal", "stdio", "cpu-profile", "host-signals", "time"}

// runToolchains builds the runtime's tests with older Go versions.
func runToolchains(opts options, report *report) error {
	var tasks []task
	for _, toolchain := range olderToolchains {
		environment := append(machine.GoEnvironment(), "GOTOOLCHAIN="+toolchain)
		probe := exec.Command("go", "version")
		probe.Env, probe.Dir = environment, filepath.Join(opts.root, "tests")
		if output, err := probe.CombinedOutput(); err != nil || !strings.Contains(string(output), toolchain) {
			report.skip("toolchain/"+toolchain, "toolchain "+toolchain+" cannot be had here")
			continue
		}
		out := programDir(opts, "toolchains/"+toolchain)
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
		args := []string{"build", "-buildvcs=false", "-o", out + "/"}
		for _, test := range runtimeTests {
			args = append(args, "./vm/"+test)
		}
		build := exec.Command("go", args...)
		build.Env, build.Dir = environment, probe.Dir
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %v\n%s", toolchain, err, tail(output, 20))
		}
		for _, test := range runtimeTests {
			cases, err := readCases(test, filepath.Join(opts.root, "tests", "vm", test))
			if err != nil {
				return err
			}
			for _, c := range cases {
				if c.long || c.repeat > 10 {
					continue
				}
				p := program{test: toolchain + "-" + test, path: filepath.Join(out, test)}
				for _, platform := range opts.platforms {
					if len(c.platforms) == 0 || containsPlatform(c.platforms, platform) {
						tasks = append(tasks, vmTask(opts, p, c, platform))
					}
				}
			}
		}
	}
	runTasks(opts, report, tasks)
	return nil
}

// A realProgram comes from the module proxy, unmodified.
type realProgram struct {
	name, module string
	args         []string
	stdin        string
	has          string // what stdout must contain
}

const benchmarkResults = `goos: linux
goarch: amd64
BenchmarkOne 100 1000 ns/op
BenchmarkOne 100 1010 ns/op
BenchmarkOne 100 990 ns/op
BenchmarkTwo 100 2000 ns/op
`

var realPrograms = []realProgram{
	{"gojq", "github.com/itchyny/gojq/cmd/gojq@v0.12.16", []string{"-c", "[.[] | select(.n > 1) | .s] | sort"},
		`[{"n":1,"s":"a"},{"n":3,"s":"z"},{"n":2,"s":"b"}]`, "[\"b\",\"z\"]\n"},
	{"benchstat", "golang.org/x/perf/cmd/benchstat@latest", []string{"-"}, benchmarkResults, "2.000"},
}

// runPrograms runs real programs natively and in VMs and compares what they print.
func runPrograms(opts options, report *report) error {
	bin := programDir(opts, "programs")
	var tasks []task
	for _, p := range realPrograms {
		path := filepath.Join(bin, p.name)
		if why := install(p.module, bin, p.name); why != "" {
			report.skip("programs/"+p.name, why)
			continue
		}
		for _, platform := range opts.platforms {
			c := newCase(p.name, "")
			c.args, c.limit = p.args, 30*time.Second
			c.stdin = input{kind: "text", text: p.stdin}
			c.stdout = expectation{has: []string{p.has}, bytes: -1, lines: -1}
			path := path
			platform := platform
			tasks = append(tasks, task{
				name: taskName("programs", p.name, "default", platform),
				run:  func() string { return runCase(platform, opts.root, path, c) },
			})
		}
	}
	tasks = append(tasks, serverTasks(opts, report, bin)...)
	runTasks(opts, report, tasks)
	return nil
}

// install has the go command build a program of the module proxy; "" or why it cannot be had.
func install(module, bin, name string) string {
	if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
		return ""
	}
	cmd := exec.Command("go", "install", module)
	cmd.Env, cmd.Dir = append(machine.GoEnvironment(), "GOBIN="+bin), os.TempDir()
	if output, err := cmd.CombinedOutput(); err != nil {
		return module + " cannot be had here: " + firstLine(output)
	}
	return ""
}

func firstLine(output []byte) string {
	return strings.SplitN(strings.TrimSpace(string(output)), "\n", 2)[0]
}
