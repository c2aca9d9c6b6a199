package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// parseMiB reads a size such as 64M.
func parseMiB(text string) (int64, error) {
	number, found := strings.CutSuffix(text, "M")
	if !found {
		return 0, fmt.Errorf("size %q: write it as 64M", text)
	}
	value, err := strconv.ParseInt(number, 10, 64)
	return value << 20, err
}

// watchProcess waits until a process is as a step says; "" or why it never was.
func watchProcess(pid int, s step, limit time.Duration) string {
	last := ""
	for end := time.Now().Add(limit / 2); time.Now().Before(end); {
		switch s.action {
		case "quiet":
			before := processRuns(pid)
			time.Sleep(s.duration)
			runs := processRuns(pid) - before
			if runs == 0 {
				return ""
			}
			last = fmt.Sprintf("threads ran %d times in %s", runs, s.duration)
		default:
			resident := residentBytes(pid)
			if resident < s.bytes == (s.action == "resident-below") {
				return ""
			}
			last = fmt.Sprintf("%d MiB are resident", resident>>20)
			time.Sleep(50 * time.Millisecond)
		}
	}
	return fmt.Sprintf("not %s %s: %s", s.action, s.text, last)
}

// residentBytes is how much memory a process has, 0 if there is none.
func residentBytes(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	words := strings.Fields(string(content))
	if err != nil || len(words) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(words[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// processRuns counts how often threads of a process have been switched away from, and so
// have run.
func processRuns(pid int) (runs int64) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range paths {
		content, _ := os.ReadFile(path)
		for _, line := range bytes.Split(content, []byte("\n")) {
			if words := bytes.Fields(line); len(words) == 2 && bytes.HasSuffix(words[0], []byte("voluntary_ctxt_switches:")) {
				value, _ := strconv.ParseInt(string(words[1]), 10, 64)
				runs += value
			}
		}
	}
	return runs
}
