package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// A test directory's file `cases` says how its program is run and what must come
// out. One directive a line; words may be quoted as in Go. Lines before the first
// `case` hold for all cases. Without directives a program must print "ok\n" on
// stdout, nothing on stderr and end with status 0 within 20 s.
//
//	build WORD...             Go: also with this -buildmode; C: only with these libraries
//	case NAME                 begins a case
//	args WORD...              arguments of the program
//	flags WORD...             flags of `burrow run`
//	env NAME=VALUE...         environment
//	cwd DIR                   working directory
//	platforms NAME...         only these (native, kvm, qemu)
//	skip PLATFORM REASON      not there, and why
//	limit DURATION            on KVM and natively; QEMU gets six times as long
//	repeat N                  N runs in a row, all must pass; {i} in args is the run's number,
//	                          {now} the host's time (Unix seconds)
//	long | alone              only with -long | nothing else runs meanwhile
//	stdin null|closed|open|text TEXT|random BYTES
//	stdout text TEXT|file NAME|has TEXT|match REGEXP|lacks TEXT|empty|any|echo|bytes N|lines N
//	stderr the same           (several has, match and lacks may be combined)
//	status N|nonzero|any|{i}
//	after TEXT signal NAME    once stdout has shown TEXT; in the order written
//	after TEXT write TEXT | after TEXT close-stdin
//	after TEXT resident-above SIZE | after TEXT resident-below SIZE
//	                          waits until the process (the monitor: KVM, native) has so much
//	after TEXT quiet DURATION no thread of that process runs in such a time, within the limit
//	after N close-stdout      after N bytes of stdout
type testCase struct {
	test      string
	name      string
	dir       string
	builds    []string // of the whole directory: pie for Go; glibc, musl for C
	args      []string
	flags     []string
	env       []string
	cwd       string
	platforms []machine.Platform
	skips     map[machine.Platform]string
	limit     time.Duration
	repeat    int
	long      bool
	alone     bool
	stdin     input
	stdout    expectation
	stderr    expectation
	status    int // or one of the constants below
	steps     []step
	closeAt   int // bytes of stdout after which its reader goes away; -1: never
}

const (
	statusNonzero = -1
	statusAny     = -2
	statusRun     = -3 // the number of the run
)

type input struct {
	kind  string
	text  string
	bytes int
}

type expectation struct {
	exact   *string
	has     []string
	lacks   []string
	match   []*regexp.Regexp
	any     bool
	echo    bool
	bytes   int64 // -1: not asked
	lines   int   // -1: not asked
	changed bool  // a directive was given: the default does not hold
}

type step struct {
	after    string
	action   string
	text     string
	signal   syscall.Signal
	bytes    int64
	duration time.Duration
}

var signalNumbers = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
	"WINCH": syscall.SIGWINCH, "USR1": syscall.SIGUSR1, "KILL": syscall.SIGKILL,
}

func newCase(test, dir string) testCase {
	okay, nothing := "ok\n", ""
	return testCase{
		test: test, name: "default", dir: dir, limit: 20 * time.Second, repeat: 1, closeAt: -1,
		stdin: input{kind: "null"}, skips: map[machine.Platform]string{},
		stdout: expectation{exact: &okay, bytes: -1, lines: -1},
		stderr: expectation{exact: &nothing, bytes: -1, lines: -1},
	}
}

// clone copies what appending would otherwise share between cases.
func (c testCase) clone() testCase {
	c.args = append([]string(nil), c.args...)
	c.flags = append([]string(nil), c.flags...)
	c.env = append([]string(nil), c.env...)
	c.platforms = append([]machine.Platform(nil), c.platforms...)
	c.steps = append([]step(nil), c.steps...)
	skips := map[machine.Platform]string{}
	for platform, reason := range c.skips {
		skips[platform] = reason
	}
	c.skips = skips
	c.stdout, c.stderr = c.stdout.clone(), c.stderr.clone()
	return c
}

func (e expectation) clone() expectation {
	e.has = append([]string(nil), e.has...)
	e.lacks = append([]string(nil), e.lacks...)
	e.match = append([]*regexp.Regexp(nil), e.match...)
	return e
}

// readCases reads dir/cases; a directory without that file has one default case.
func readCases(test, dir string) ([]testCase, error) {
	base := newCase(test, dir)
	path := dir + "/cases"
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return []testCase{base}, nil
	} else if err != nil {
		return nil, err
	}
	defer file.Close()

	var cases []testCase
	current := &base
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		words, err := splitWords(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %v", path, number, err)
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "case" && len(words) == 2 {
			cases = append(cases, base.clone())
			current = &cases[len(cases)-1]
			current.name = words[1]
			continue
		}
		if err := current.directive(words); err != nil {
			return nil, fmt.Errorf("%s:%d: %v", path, number, err)
		}
	}
	if len(cases) == 0 {
		cases = []testCase{base}
	}
	return cases, lines.Err()
}

// splitWords splits a line at blanks; a word in double quotes is as in Go; # begins a comment.
func splitWords(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" || line[0] == '#' {
			return words, nil
		}
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("bad quoting: %s", line)
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words = append(words, word)
			line = line[len(quoted):]
			continue
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[end:]
	}
}

func (c *testCase) directive(words []string) error {
	name, args := words[0], words[1:]
	need := map[string]int{"limit": 1, "repeat": 1, "cwd": 1, "status": 1, "skip": 2, "after": 2, "stdin": 1, "stdout": 1, "stderr": 1}
	if len(args) < need[name] {
		return fmt.Errorf("%s wants %d words", name, need[name])
	}
	var err error
	switch name {
	case "build":
		c.builds = append(c.builds, args...)
	case "args":
		c.args = append(c.args, args...)
	case "flags":
		c.flags = append(c.flags, args...)
	case "env":
		c.env = append(c.env, args...)
	case "cwd":
		c.cwd = args[0]
	case "platforms":
		c.platforms = nil
		for _, platform := range args {
			c.platforms = append(c.platforms, machine.Platform(platform))
		}
	case "skip":
		c.skips[machine.Platform(args[0])] = strings.Join(args[1:], " ")
	case "limit":
		c.limit, err = time.ParseDuration(args[0])
	case "repeat":
		c.repeat, err = strconv.Atoi(args[0])
	case "long":
		c.long = true
	case "alone":
		c.alone = true
	case "stdin":
		err = c.stdin.parse(args)
	case "stdout":
		err = c.stdout.parse(c.dir, args)
	case "stderr":
		err = c.stderr.parse(c.dir, args)
	case "status":
		err = c.parseStatus(args[0])
	case "after":
		err = c.parseStep(args)
	default:
		err = fmt.Errorf("no directive %q", name)
	}
	return err
}

func (c *testCase) parseStatus(word string) (err error) {
	switch word {
	case "nonzero":
		c.status = statusNonzero
	case "any":
		c.status = statusAny
	case "{i}":
		c.status = statusRun
	default:
		c.status, err = strconv.Atoi(word)
	}
	return err
}

func (c *testCase) parseStep(args []string) (err error) {
	s := step{after: args[0], action: args[1]}
	if len(args) > 2 {
		s.text = args[2]
	}
	switch s.action {
	case "signal":
		var known bool
		if s.signal, known = signalNumbers[s.text]; !known {
			return fmt.Errorf("no signal %q", s.text)
		}
	case "write", "close-stdin":
	case "resident-above", "resident-below":
		s.bytes, err = parseMiB(s.text)
	case "quiet":
		s.duration, err = time.ParseDuration(s.text)
	case "close-stdout":
		c.closeAt, err = strconv.Atoi(s.after)
		return err
	default:
		return fmt.Errorf("no action %q", s.action)
	}
	if err != nil {
		return err
	}
	if c.stdin.kind == "null" && s.action != "signal" {
		c.stdin.kind = "open"
	}
	c.steps = append(c.steps, s)
	return nil
}

func (i *input) parse(args []string) (err error) {
	i.kind = args[0]
	switch i.kind {
	case "null", "closed", "open":
		return nil
	case "text", "random":
		if len(args) < 2 {
			return fmt.Errorf("stdin %s wants a value", i.kind)
		}
		i.text = args[1]
		if i.kind == "random" {
			i.bytes, err = strconv.Atoi(args[1])
		}
		return err
	}
	return fmt.Errorf("no kind of stdin %q", i.kind)
}

func (e *expectation) parse(dir string, args []string) (err error) {
	if !e.changed {
		*e = expectation{changed: true, bytes: -1, lines: -1}
	}
	kind, value := args[0], ""
	if len(args) > 1 {
		value = args[1]
	}
	switch kind {
	case "text":
		e.exact = &value
	case "file":
		var content []byte
		if content, err = os.ReadFile(dir + "/" + value); err == nil {
			text := string(content)
			e.exact = &text
		}
	case "empty":
		e.exact = new(string)
	case "has":
		e.has = append(e.has, value)
	case "lacks":
		e.lacks = append(e.lacks, value)
	case "match":
		var expression *regexp.Regexp
		if expression, err = regexp.Compile(value); err == nil {
			e.match = append(e.match, expression)
		}
	case "any":
		e.any = true
	case "echo":
		e.echo = true
	case "bytes":
		e.bytes, err = strconv.ParseInt(value, 10, 64)
	case "lines":
		e.lines, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("no expectation %q", kind)
	}
	return err
}

// wrong tells how an output differs from what is expected, or "".
func (e expectation) wrong(stream string, output []byte, total int64, stdin []byte) string {
	text := string(output)
	if e.exact != nil && text != *e.exact {
		return fmt.Sprintf("%s is %s, expected %s", stream, shorten(text), shorten(*e.exact))
	}
	if e.echo && text != string(stdin) {
		return fmt.Sprintf("%s (%d bytes) is not what was on stdin (%d bytes)", stream, len(text), len(stdin))
	}
	for _, part := range e.has {
		if !strings.Contains(text, part) {
			return fmt.Sprintf("%s lacks %q: %s", stream, part, shorten(text))
		}
	}
	for _, part := range e.lacks {
		if strings.Contains(text, part) {
			return fmt.Sprintf("%s has %q: %s", stream, part, shorten(text))
		}
	}
	for _, expression := range e.match {
		if !expression.MatchString(text) {
			return fmt.Sprintf("%s does not match %s: %s", stream, expression, shorten(text))
		}
	}
	if e.bytes >= 0 && total != e.bytes {
		return fmt.Sprintf("%s has %d bytes, expected %d", stream, total, e.bytes)
	}
	if lines := strings.Count(text, "\n"); e.lines >= 0 && lines != e.lines {
		return fmt.Sprintf("%s has %d lines, expected %d: %s", stream, lines, e.lines, shorten(text))
	}
	return ""
}

func shorten(text string) string {
	if len(text) > 400 {
		text = text[:200] + "…" + text[len(text)-200:]
	}
	return strconv.Quote(text)
}
