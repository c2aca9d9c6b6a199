package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"burrow/tests/machine"
)

// keepBytes of each output are kept for comparison; what follows is only counted.
const keepBytes = 16 << 20

// stream reads one output of the program, keeps its beginning, counts the rest and
// lets steps wait for a text.
type stream struct {
	sync.Mutex
	changed *sync.Cond
	kept    bytes.Buffer
	total   int64
	closed  bool
	closeAt int
}

func newStream(closeAt int) *stream {
	s := &stream{closeAt: closeAt}
	s.changed = sync.NewCond(s)
	return s
}

// drain reads until end of file or until closeAt bytes have come.
func (s *stream) drain(pipe *os.File) {
	buffer := make([]byte, 256<<10)
	for {
		n, err := pipe.Read(buffer)
		s.Lock()
		if room := keepBytes - s.kept.Len(); room > 0 {
			if room > n {
				room = n
			}
			s.kept.Write(buffer[:room])
		}
		s.total += int64(n)
		enough := s.closeAt >= 0 && s.total >= int64(s.closeAt)
		s.closed = err != nil || enough
		s.changed.Broadcast()
		s.Unlock()
		if s.closed {
			pipe.Close()
			return
		}
	}
}

// waitFor returns once the stream has shown text; false if it ended without.
func (s *stream) waitFor(text string) bool {
	s.Lock()
	defer s.Unlock()
	for {
		if strings.Contains(s.kept.String(), text) {
			return true
		}
		if s.closed {
			return false
		}
		s.changed.Wait()
	}
}

func (s *stream) snapshot() ([]byte, int64) {
	s.Lock()
	defer s.Unlock()
	return s.kept.Bytes(), s.total
}

// execution is one run of a program with its streams.
type execution struct {
	cmd     *exec.Cmd
	stdin   *os.File // our end; nil when the program has none that is open
	content []byte   // what stdin will have carried
	stdout  *stream
	stderr  *stream
	drained sync.WaitGroup
}

// runCase runs a case once; "" or a diagnosis with the command that repeats it.
func runCase(platform machine.Platform, root, program string, c testCase) string {
	limit := c.limit
	if platform == machine.QEMU {
		limit *= 6
	}
	spec := machine.Program{Path: program, Args: c.args, Flags: c.flags, Env: c.env, Cwd: c.cwd}
	run := &execution{cmd: machine.Command(platform, root, spec)}
	if platform == machine.Native && c.cwd == "" {
		scratch, err := os.MkdirTemp("", "burrow-test-")
		if err != nil {
			return err.Error()
		}
		defer os.RemoveAll(scratch)
		run.cmd.Dir = scratch
	}
	if err := run.start(c); err != nil {
		return err.Error() + "\n" + machine.Shell(run.cmd)
	}
	stepError := make(chan string, 1)
	go func() { stepError <- run.perform(c) }()
	timedOut, err := machine.Wait(run.cmd, limit)
	run.drained.Wait()
	if run.stdin != nil {
		run.stdin.Close()
	}
	var wrong string
	switch {
	case err != nil:
		wrong = err.Error()
	case timedOut:
		wrong = fmt.Sprintf("not finished after %s", limit)
	default:
		wrong = run.judge(c)
		if failed := <-stepError; wrong == "" {
			wrong = failed
		}
	}
	if wrong == "" {
		return ""
	}
	return run.diagnosis(wrong)
}

// start connects the streams and starts the process.
func (run *execution) start(c testCase) error {
	var ours []*os.File
	var theirs []*os.File
	pipe := func() (*os.File, *os.File, error) {
		reader, writer, err := os.Pipe()
		return reader, writer, err
	}
	outReader, outWriter, err := pipe()
	if err != nil {
		return err
	}
	errReader, errWriter, err := pipe()
	if err != nil {
		return err
	}
	ours, theirs = append(ours, outReader, errReader), append(theirs, outWriter, errWriter)
	run.cmd.Stdout, run.cmd.Stderr = outWriter, errWriter

	switch c.stdin.kind {
	case "null":
	case "closed":
		// The shell is the simplest way to start a process without descriptor 0.
		shell := append([]string{"/bin/sh", "-c", `exec "$0" "$@" <&-`}, run.cmd.Args...)
		run.cmd.Path, run.cmd.Args = "/bin/sh", shell
	default:
		inReader, inWriter, err := pipe()
		if err != nil {
			return err
		}
		run.cmd.Stdin, run.stdin = inReader, inWriter
		theirs = append(theirs, inReader)
	}
	switch c.stdin.kind {
	case "text":
		run.content = []byte(c.stdin.text)
	case "random":
		run.content = make([]byte, c.stdin.bytes)
		rand.New(rand.NewSource(int64(c.stdin.bytes))).Read(run.content)
	}

	err = run.cmd.Start()
	for _, file := range theirs {
		file.Close()
	}
	if err != nil {
		for _, file := range ours {
			file.Close()
		}
		return err
	}
	run.stdout, run.stderr = newStream(c.closeAt), newStream(-1)
	run.drained.Add(2)
	go func() { run.stdout.drain(outReader); run.drained.Done() }()
	go func() { run.stderr.drain(errReader); run.drained.Done() }()
	return nil
}

// perform feeds stdin and does the steps of a case.
func (run *execution) perform(c testCase) string {
	if c.stdin.kind == "text" || c.stdin.kind == "random" {
		run.stdin.Write(run.content) // an early end of the program shows in its output
		run.stdin.Close()
	}
	for _, s := range c.steps {
		if !run.stdout.waitFor(s.after) {
			return fmt.Sprintf("stdout ended without %q", s.after)
		}
		switch s.action {
		case "signal":
			run.cmd.Process.Signal(s.signal)
		case "write":
			io.WriteString(run.stdin, s.text)
		case "close-stdin":
			run.stdin.Close()
		default:
			if wrong := watchProcess(run.cmd.Process.Pid, s, c.limit); wrong != "" {
				run.stdin.Close() // for the program to end
				return wrong
			}
		}
	}
	return ""
}

// judge compares status and outputs with what the case expects.
func (run *execution) judge(c testCase) string {
	status := machine.Status(run.cmd)
	var wrongs []string
	if c.status == statusNonzero && status == 0 {
		wrongs = append(wrongs, "status 0, expected another")
	} else if c.status >= 0 && status != c.status {
		wrongs = append(wrongs, fmt.Sprintf("status %d, expected %d", status, c.status))
	}
	output, total := run.stdout.snapshot()
	if wrong := c.stdout.wrong("stdout", output, total, run.content); wrong != "" {
		wrongs = append(wrongs, wrong)
	}
	output, total = run.stderr.snapshot()
	if wrong := c.stderr.wrong("stderr", output, total, run.content); wrong != "" {
		wrongs = append(wrongs, wrong)
	}
	return strings.Join(wrongs, "\n")
}

func (run *execution) diagnosis(wrong string) string {
	text := wrong + "\n"
	if output, _ := run.stderr.snapshot(); len(output) > 0 {
		text += "stderr:\n" + tail(output, 25) + "\n"
	}
	return text + "command: " + machine.Shell(run.cmd)
}

// repeatCase runs a case as often as it asks; the first failure ends it.
func repeatCase(platform machine.Platform, root, program string, c testCase) string {
	for i := 0; i < c.repeat; i++ {
		if wrong := runCase(platform, root, program, c.numbered(i)); wrong != "" {
			if c.repeat > 1 {
				return fmt.Sprintf("run %d of %d: %s", i+1, c.repeat, wrong)
			}
			return wrong
		}
	}
	return ""
}

// numbered fills in what differs from run to run.
func (c testCase) numbered(i int) testCase {
	number, now := strconv.Itoa(i), strconv.FormatInt(time.Now().Unix(), 10)
	c.args = append([]string(nil), c.args...)
	for at := range c.args {
		c.args[at] = strings.ReplaceAll(strings.ReplaceAll(c.args[at], "{i}", number), "{now}", now)
	}
	if c.status == statusRun {
		c.status = i
	}
	return c
}
