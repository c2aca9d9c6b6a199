package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"burrow/tests/machine"
)

// outcome is what one run of a test binary gave.
type outcome struct {
	Tests   map[string]string // name → PASS, FAIL, SKIP; "" for a program as a whole
	Status  int
	Ended   string // why it did not end by itself, or ""
	Running []string
	Seconds float64
	output  []byte
	shell   string
}

const (
	nativeLimit  = 4 * time.Minute
	programLimit = 2 * time.Minute
)

// build makes the test binary unless it is there; "" or the reason why it cannot be.
func (s suite) build(opts options, d distribution) string {
	if s.missing != "" {
		return s.missing
	}
	path := s.binary(opts)
	if _, err := os.Stat(path); err == nil {
		return ""
	}
	if why, err := os.ReadFile(path + ".not"); err == nil {
		return string(why)
	}
	var args []string
	if s.pkg != "" {
		args = []string{"test", "-c", "-vet=off", "-o", path, s.pkg}
	} else {
		args = append([]string{"build", "-o", path}, s.flags...)
		args = append(args, filepath.Base(s.program))
		args = append(args, s.files...)
	}
	cmd := exec.Command("go", args...)
	cmd.Env, cmd.Dir = append(machine.GoEnvironment(), s.env...), filepath.Join(d.goroot, "src")
	if s.program != "" || s.root != "" {
		cmd.Dir = s.dir(d)
	}
	os.MkdirAll(filepath.Dir(path), 0o755)
	output, err := cmd.CombinedOutput()
	if err == nil {
		if _, err = os.Stat(path); err == nil {
			return ""
		}
	}
	why := fmt.Sprintf("does not build: %v: %s", err, firstLine(output))
	os.WriteFile(path+".not", []byte(why), 0o644)
	return why
}

func firstLine(output []byte) string {
	for _, line := range strings.Split(string(output), "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

// execute runs the binary once.
func (s suite) execute(opts options, d distribution, platform machine.Platform, skip, only []string, limit time.Duration) (outcome, error) {
	args := s.args
	if s.pkg != "" {
		args = []string{"-test.v=true", "-test.short", "-test.timeout=" + limit.String()}
		if d.minor >= 20 {
			args[0] = "-test.v=test2json"
			if len(skip) > 0 {
				args = append(args, "-test.skip="+expression(skip))
			}
		}
		if len(only) > 0 {
			args = append(args, "-test.run="+expression(only))
		}
	}
	cmd := machine.Command(platform, opts.root, s.programSpec(opts, d, platform, args))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return outcome{}, err
	}
	timedOut, err := machine.Wait(cmd, limit+15*time.Second)
	result := outcome{
		Tests: map[string]string{}, Status: machine.Status(cmd), Seconds: time.Since(start).Seconds(),
		output: output.Bytes(), shell: machine.Shell(cmd),
	}
	if timedOut {
		result.Ended = fmt.Sprintf("not finished after %s", limit)
	} else if err != nil {
		result.Ended = err.Error()
	}
	if s.pkg != "" {
		result.readTests()
	} else {
		result.judgeProgram(s, d)
	}
	return result, nil
}

func expression(tests []string) string {
	quoted := make([]string, len(tests))
	for i, test := range tests {
		quoted[i] = regexp.QuoteMeta(test)
	}
	sort.Strings(quoted)
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// Marks of -test.v: with test2json each line that counts begins with ^V, wherever
// the test's own output ended; Go 1.19 does not know that mode yet.
var resultLine = regexp.MustCompile(`\x16\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
var plainResultLine = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
var endLine = regexp.MustCompile(`(?m)^\x16?(PASS|FAIL|testing: warning: no tests to run)$`)
var runLine = regexp.MustCompile(`(?m)(?:^|\x16)=== RUN   (\S+)`)

// Some names hold addresses or times, which differ from run to run.
var changing = regexp.MustCompile(`0x[0-9a-f]{6,}|\d{4}-\d\d-\d\d[T_ ]\d\d:\d\d:\d\d[.\d]*|\d+\.\d+[mµn]?s`)

// note keeps a test's result; of several with one name the worst counts.
func (o *outcome) note(name, result string) {
	name = changing.ReplaceAllString(name, "*")
	if o.Tests[name] != "FAIL" {
		o.Tests[name] = result
	}
}

// readTests finds each test's result, and which tests were running at the end.
func (o *outcome) readTests() {
	results := resultLine
	if !bytes.Contains(o.output, []byte("\x16=== RUN")) {
		results = plainResultLine
	}
	for _, match := range results.FindAllSubmatch(o.output, -1) {
		o.note(string(match[2]), string(match[1]))
	}
	for _, match := range runLine.FindAllSubmatch(o.output, -1) {
		name := string(match[1])
		if o.Tests[name] == "" && !strings.Contains(name, "/") {
			o.Running = append(o.Running, name)
		}
	}
	// A binary that ends well has said so; anything else is an end before its time.
	if o.Ended == "" && (!endLine.Match(o.output) || o.Status > 1 || len(o.Running) > 0) {
		o.Ended = fmt.Sprintf("ended before its time with status %d", o.Status)
	}
}

// judgeProgram holds a program's output against its golden file, or against silence.
func (o *outcome) judgeProgram(s suite, d distribution) {
	golden, err := os.ReadFile(strings.TrimSuffix(filepath.Join(d.goroot, "test", s.program), ".go") + ".out")
	if err != nil {
		golden = nil
	}
	o.Tests[""] = "FAIL"
	if o.Ended != "" {
		return
	}
	if o.Status == 0 && (bytes.Equal(o.output, golden) || sameLines(o.output, golden)) {
		o.Tests[""] = "PASS"
	} else if o.Status != 0 {
		o.Ended = fmt.Sprintf("status %d", o.Status)
	} else {
		o.Ended = "its output differs from what is expected"
	}
}

// sameLines compares without order: stdout and stderr of a VM are two streams,
// whose lines may meet in the pipe in another order than they were written.
func sameLines(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	sort.Strings(x)
	sort.Strings(y)
	return strings.Join(x, "\n") == strings.Join(y, "\n")
}

// native gives the native result: the kept one, or a fresh one.
func (s suite) native(opts options, d distribution) (outcome, error) {
	path := s.binary(opts) + ".native.json"
	if content, err := os.ReadFile(path); err == nil && !opts.fresh {
		var kept outcome
		if json.Unmarshal(content, &kept) == nil {
			return kept, nil
		}
	}
	limit := nativeLimit
	if s.program != "" {
		limit = programLimit
	}
	result, err := s.execute(opts, d, machine.Native, nil, nil, limit)
	if err != nil {
		return result, err
	}
	content, err := json.Marshal(result)
	if err == nil {
		err = os.WriteFile(path, content, 0o644)
	}
	return result, err
}
