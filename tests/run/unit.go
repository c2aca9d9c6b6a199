package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

const unitLimit = 180 * time.Second

// runUnit runs the host unit tests that make has built; each "ok NAME" line that
// a program prints counts as one test.
func runUnit(opts options, report *report) {
	for _, path := range opts.unitTests {
		name := "unit/" + strings.TrimSuffix(filepath.Base(path), "_test")
		if !opts.filter.MatchString(name) {
			continue
		}
		start := time.Now()
		cmd := exec.Command(path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			report.fail(name, err.Error())
			continue
		}
		timedOut, err := machine.Wait(cmd, unitLimit)
		for _, line := range strings.Split(output.String(), "\n") {
			if strings.HasPrefix(line, "ok ") {
				report.pass(name+"/"+strings.TrimPrefix(line, "ok "), time.Since(start))
			}
		}
		switch status := machine.Status(cmd); {
		case err != nil:
			report.fail(name, err.Error())
		case timedOut:
			report.fail(name, fmt.Sprintf("not finished after %s\n%s", unitLimit, tail(output.Bytes(), 30)))
		case status != 0:
			report.fail(name, fmt.Sprintf("status %d: %s\n%s", status, path, tail(output.Bytes(), 30)))
		}
	}
}

// tail gives the last lines of an output.
func tail(output []byte, lines int) string {
	all := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
	if len(all) > lines {
		all = append([]string{fmt.Sprintf("… (%d lines more)", len(all)-lines)}, all[len(all)-lines:]...)
	}
	for i, line := range all {
		if len(line) > 300 {
			all[i] = line[:300] + "…"
		}
	}
	return strings.Join(all, "\n")
}
