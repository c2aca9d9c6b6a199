package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"burrow/tests/machine"
)

// comparison is the result of one suite.
type comparison struct {
	Name        string       `json:"name"`
	Skipped     string       `json:"skipped,omitempty"` // why it did not run
	Native      tally        `json:"native"`
	VM          tally        `json:"vm"`
	Passed      int          `json:"passed"`
	Failed      int          `json:"failed"`
	Listed      int          `json:"listed"`
	Ended       string       `json:"ended,omitempty"`
	Differences []difference `json:"differences,omitempty"`
	SecondTry   []string     `json:"second_try,omitempty"` // passed only alone
	NativeTime  float64      `json:"native_seconds"`
	VMTime      float64      `json:"vm_seconds"`
	shell       string
	excerpt     string
	output      string // for suggest
}

type tally struct{ Pass, Fail, Skip int }

type difference struct {
	Test   string `json:"test"`
	Native string `json:"native"`
	VM     string `json:"vm"`
	Known  string `json:"known,omitempty"` // the reason in the list
}

func count(tests map[string]string) (t tally) {
	for _, result := range tests {
		switch result {
		case "PASS":
			t.Pass++
		case "FAIL":
			t.Fail++
		case "SKIP":
			t.Skip++
		}
	}
	return t
}

// runAll runs the suites, several at once, and says how it goes.
func runAll(opts options, d distribution, known *knownFailures, suites []suite) []comparison {
	results := make([]comparison, len(suites))
	queue := make(chan int)
	var workers sync.WaitGroup
	var output sync.Mutex
	for w := 0; w < opts.jobs; w++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range queue {
				results[i] = compare(opts, d, known, suites[i])
				output.Lock()
				results[i].print()
				output.Unlock()
			}
		}()
	}
	for i := range suites {
		queue <- i
	}
	close(queue)
	workers.Wait()
	return results
}

// compare runs one suite natively and in a VM.
func compare(opts options, d distribution, known *knownFailures, s suite) comparison {
	result := comparison{Name: s.name()}
	if reason := known.whole(s.name()); reason != "" {
		result.Skipped = "known: " + reason
		return result
	}
	if why := s.build(opts, d); why != "" {
		result.Skipped = why
		return result
	}
	native, err := s.native(opts, d)
	if err != nil {
		result.Ended, result.Failed = err.Error(), 1
		return result
	}
	result.Native, result.NativeTime = count(native.Tests), native.Seconds
	if s.program != "" && native.Tests[""] != "PASS" {
		result.Skipped = "fails natively: " + native.Ended
		return result
	}
	vm, err := runInVM(opts, d, known, s, native)
	if err != nil {
		result.Ended, result.Failed = err.Error(), 1
		return result
	}
	result.VM, result.VMTime, result.shell = count(vm.Tests), vm.Seconds, vm.shell
	result.judge(known, s, native, &vm)
	if result.Failed > 0 && s.pkg != "" {
		result.tryAgain(opts, d, known, s, native, vm)
	}
	if result.Failed > 0 {
		result.Ended, result.output = vm.Ended, string(vm.output)
		result.excerpt = keepOutput(opts, s, vm)
	}
	return result
}

// limitFor is generous: other VMs run at the same time, and QEMU emulates.
func limitFor(platform machine.Platform, native outcome) time.Duration {
	seconds := 60 + 6*native.Seconds
	if platform == machine.QEMU {
		seconds = 180 + 60*native.Seconds
	}
	return time.Duration(seconds) * time.Second
}

// runInVM runs a suite; when a test takes the whole binary with it, the binary runs
// again without that test, so that the others get their results.
func runInVM(opts options, d distribution, known *knownFailures, s suite, native outcome) (outcome, error) {
	skip := known.skipped(s.name())
	merged, err := s.execute(opts, d, opts.platform, skip, nil, limitFor(opts.platform, native))
	if s.program != "" || err != nil {
		return merged, err
	}
	for try := 0; try < 4 && merged.Ended != "" && len(merged.Running) > 0 && d.minor >= 20; try++ {
		skip = append(skip, merged.Running...)
		for name := range merged.Tests {
			if !strings.Contains(name, "/") {
				skip = append(skip, name)
			}
		}
		next, err := s.execute(opts, d, opts.platform, skip, nil, limitFor(opts.platform, native))
		if err != nil {
			return merged, err
		}
		for name, result := range next.Tests {
			merged.Tests[name] = result
		}
		merged.Seconds += next.Seconds
		if next.Ended == "" {
			break
		}
		merged.Running = next.Running
		merged.output = append(merged.output, next.output...)
		if len(next.Tests) == 0 {
			break
		}
	}
	return merged, nil
}

// judge counts tests and lists those that do worse than natively.
func (c *comparison) judge(known *knownFailures, s suite, native outcome, vm *outcome) {
	c.Passed, c.Failed, c.Listed, c.Differences = 0, 0, 0, nil
	names := map[string]bool{}
	for name := range native.Tests {
		names[name] = true
	}
	for name := range vm.Tests {
		names[name] = true
	}
	for name := range names {
		before, now := native.Tests[name], vm.Tests[name]
		entry := known.find(s.name(), name)
		if now == "PASS" {
			c.Passed++
			if entry != nil && entry.test == name {
				known.saw(entry, true)
			}
			continue
		}
		if before == "FAIL" || before == "SKIP" && now != "FAIL" || before == "" && now == "SKIP" {
			continue // no worse than natively
		}
		if now == "" {
			now = "missing"
		}
		d := difference{Test: name, Native: before, VM: now}
		if entry != nil {
			d.Known = entry.reason
			known.saw(entry, false)
			c.Listed++
		} else {
			c.Failed++
		}
		c.Differences = append(c.Differences, d)
	}
	if vm.Ended != "" && c.Failed == 0 && s.pkg != "" && native.Ended == "" {
		// A listed test may take the binary with it; anything else is a failure.
		listed := len(vm.Running) > 0
		for _, name := range vm.Running {
			listed = listed && known.find(s.name(), name) != nil
		}
		if !listed {
			c.Failed++
			c.Differences = append(c.Differences, difference{Test: "(the package)", Native: "ends well", VM: vm.Ended})
		}
	}
	sort.Slice(c.Differences, func(i, j int) bool { return c.Differences[i].Test < c.Differences[j].Test })
}

// tryAgain gives tests that failed a second chance, alone: they share two cpus with
// another VM. What passes then is named in the table, not hidden.
func (c *comparison) tryAgain(opts options, d distribution, known *knownFailures, s suite, native, vm outcome) {
	var again []string
	seen := map[string]bool{}
	for _, difference := range c.Differences {
		top := strings.SplitN(difference.Test, "/", 2)[0]
		if difference.Known == "" && !seen[top] && !strings.HasPrefix(top, "(") {
			seen[top] = true
			again = append(again, top)
		}
	}
	if len(again) == 0 || len(again) > 8 {
		return
	}
	second, err := s.execute(opts, d, opts.platform, known.skipped(s.name()), again, limitFor(opts.platform, native))
	if err != nil || second.Ended != "" {
		return
	}
	for name, result := range second.Tests {
		if result == "PASS" && vm.Tests[name] != "PASS" {
			vm.Tests[name] = result
			c.SecondTry = append(c.SecondTry, name)
		}
	}
	sort.Strings(c.SecondTry)
	vm.Ended = ""
	c.judge(known, s, native, &vm)
}

// keepOutput keeps the whole output of a failed suite and gives its end.
func keepOutput(opts options, s suite, vm outcome) string {
	dir := filepath.Join(opts.root, "build", "gotest", "failed-"+string(opts.platform))
	os.MkdirAll(dir, 0o755)
	path := filepath.Join(dir, strings.ReplaceAll(s.name(), "/", "_")+".txt")
	os.WriteFile(path, vm.output, 0o644)
	lines := strings.Split(strings.TrimRight(string(vm.output), "\n"), "\n")
	if len(lines) > 6 {
		lines = lines[len(lines)-6:]
	}
	for i := range lines {
		if len(lines[i]) > 160 {
			lines[i] = lines[i][:160] + "…"
		}
	}
	return strings.Join(lines, "\n") + fmt.Sprintf("\nwhole output: %s", path)
}
