package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// report counts and prints; safe for use by several tasks at once.
type report struct {
	sync.Mutex
	verbose  bool
	passed   int
	failed   int
	skipped  int
	skips    map[string]int // reason → how many
	failures []string
	started  time.Time
}

func newReport(verbose bool) *report {
	return &report{verbose: verbose, skips: map[string]int{}, started: time.Now()}
}

func (r *report) note(format string, args ...interface{}) {
	r.Lock()
	defer r.Unlock()
	fmt.Printf("  "+format+"\n", args...)
}

func (r *report) pass(name string, took time.Duration) {
	r.Lock()
	defer r.Unlock()
	r.passed++
	if r.verbose {
		fmt.Printf("  ok      %s (%.2f s)\n", name, took.Seconds())
	}
}

func (r *report) fail(name, diagnosis string) {
	r.Lock()
	defer r.Unlock()
	r.failed++
	r.failures = append(r.failures, name)
	fmt.Printf("  FAILED  %s\n", name)
	for _, line := range strings.Split(strings.TrimRight(diagnosis, "\n"), "\n") {
		fmt.Printf("          %s\n", line)
	}
}

func (r *report) skip(name, reason string) {
	r.Lock()
	defer r.Unlock()
	r.skipped++
	r.skips[reason]++
	if r.verbose {
		fmt.Printf("  skip    %s: %s\n", name, reason)
	}
}

// skipMany counts a whole platform or suite as one skipped item.
func (r *report) skipMany(what, reason string) {
	r.skip(what, what+": "+reason)
}

// add takes over the counts of a suite that ran as a program of its own.
func (r *report) add(passed, failed, skipped int, skipReason string) {
	r.Lock()
	defer r.Unlock()
	r.passed += passed
	r.failed += failed
	r.skipped += skipped
	if skipped > 0 {
		r.skips[skipReason] += skipped
	}
}

// close prints what was skipped and what failed, then the closing line.
func (r *report) close() int {
	reasons := make([]string, 0, len(r.skips))
	for reason := range r.skips {
		reasons = append(reasons, reason)
	}
	sort.Strings(reasons)
	for _, reason := range reasons {
		fmt.Printf("skipped %d: %s\n", r.skips[reason], reason)
	}
	for _, name := range r.failures {
		fmt.Printf("failed: %s\n", name)
	}
	fmt.Printf("took %.0f s\n", time.Since(r.started).Seconds())
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	if r.failed > 0 || r.passed == 0 {
		return 1
	}
	return 0
}
