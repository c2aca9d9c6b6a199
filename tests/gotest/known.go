package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
)

// knownFailures is the kept list: lines of
//
//	PACKAGE TEST REASON [skip]
//
// PACKAGE is an import path or test/PROGRAM; TEST a test, with its subtests, or *
// for the whole package, which then does not run; a * inside a name stands for any
// text. The only reasons: exec (starts a
// process), network, volume. With `skip` the test does not run, because it would
// take the whole test binary with it.
type knownFailures struct {
	sync.Mutex
	entries map[string]map[string]*knownEntry // package → test
}

type knownEntry struct {
	pkg, test, reason string
	skip              bool
	failed, passed    bool // seen in this run
}

func readKnownFailures(path string) (*knownFailures, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	known := &knownFailures{entries: map[string]map[string]*knownEntry{}}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(strings.SplitN(lines.Text(), "#", 2)[0])
		if text == "" {
			continue
		}
		words := strings.Fields(text)
		if len(words) < 3 || len(words) > 4 || len(words) == 4 && words[3] != "skip" {
			return nil, fmt.Errorf("%s:%d: expected: package test reason [skip]", path, number)
		}
		switch words[2] {
		case "exec", "network", "volume":
		default:
			return nil, fmt.Errorf("%s:%d: %q is no accepted reason", path, number, words[2])
		}
		if known.entries[words[0]] == nil {
			known.entries[words[0]] = map[string]*knownEntry{}
		}
		known.entries[words[0]][words[1]] = &knownEntry{pkg: words[0], test: words[1], reason: words[2], skip: len(words) == 4}
	}
	return known, lines.Err()
}

// whole gives the reason why a package does not run at all, or "".
func (k *knownFailures) whole(pkg string) string {
	if entry := k.entries[pkg]["*"]; entry != nil {
		return entry.reason
	}
	return ""
}

// matches tells whether a pattern, in which * stands for any text, is the name.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1:] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return name == "" || parts[len(parts)-1] == ""
}

// find gives the entry for a test or for the test that it is a subtest of.
func (k *knownFailures) find(pkg, test string) *knownEntry {
	for pattern, entry := range k.entries[pkg] {
		if pattern != "*" && strings.Contains(pattern, "*") && matches(pattern, test) {
			return entry
		}
	}
	for name := test; ; {
		if entry := k.entries[pkg][name]; entry != nil {
			return entry
		}
		slash := strings.LastIndexByte(name, '/')
		if slash < 0 {
			return nil
		}
		name = name[:slash]
	}
}

// skipped names the tests of a package that must not run.
func (k *knownFailures) skipped(pkg string) (tests []string) {
	for _, entry := range k.entries[pkg] {
		if entry.skip {
			tests = append(tests, entry.test)
		}
	}
	return tests
}

// saw notes how a listed test ended.
func (k *knownFailures) saw(entry *knownEntry, passed bool) {
	k.Lock()
	defer k.Unlock()
	entry.passed = entry.passed || passed
	entry.failed = entry.failed || !passed
}

// passing lists the entries that are no longer needed.
func (k *knownFailures) passing() (entries []*knownEntry) {
	for _, tests := range k.entries {
		for _, entry := range tests {
			if entry.passed && !entry.failed {
				entries = append(entries, entry)
			}
		}
	}
	return entries
}
