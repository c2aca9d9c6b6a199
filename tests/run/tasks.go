package main

import (
	"sync"
	"time"

	"burrow/tests/machine"
)

// task is one test on one platform. run returns "" or a diagnosis.
type task struct {
	name  string
	alone bool // measures time: nothing else runs meanwhile
	skip  string
	run   func() string
}

func taskName(suite, test, name string, platform machine.Platform) string {
	return suite + "/" + test + "/" + name + "@" + string(platform)
}

// runTasks runs what the filter selects, opts.jobs at a time, then those that
// want the machine to themselves.
func runTasks(opts options, report *report, tasks []task) {
	queue := make(chan task)
	var workers sync.WaitGroup
	for i := 0; i < opts.jobs; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for t := range queue {
				runTask(report, t)
			}
		}()
	}
	var later []task
	for _, t := range tasks {
		if !opts.filter.MatchString(t.name) {
			continue
		}
		if t.alone {
			later = append(later, t)
		} else {
			queue <- t
		}
	}
	close(queue)
	workers.Wait()
	for _, t := range later {
		runTask(report, t)
	}
}

func runTask(report *report, t task) {
	if t.skip != "" {
		report.skip(t.name, t.skip)
		return
	}
	start := time.Now()
	if diagnosis := t.run(); diagnosis != "" {
		report.fail(t.name, diagnosis)
	} else {
		report.pass(t.name, time.Since(start))
	}
}
