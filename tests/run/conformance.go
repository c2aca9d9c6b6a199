package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"burrow/tests/machine"
)

var closingLine = regexp.MustCompile(`^(\d+) passed, (\d+) failed, (\d+) skipped$`)

// runQuickConformance runs the quick subset of tests/gotest on each platform and
// takes over its counts.
func runQuickConformance(opts options, report *report) error {
	tool := filepath.Join(opts.root, "build", "tests", "gotest")
	for _, platform := range opts.platforms {
		name := "go/quick@" + string(platform)
		if !opts.filter.MatchString(name) {
			continue
		}
		if platform == machine.Native {
			report.skip(name, "compares with native anyway")
			continue
		}
		cmd := exec.Command(tool, "-quick", "-platform", string(platform), "-jobs", strconv.Itoa(opts.jobs))
		cmd.Dir, cmd.Stderr = opts.root, os.Stderr
		output, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		var counts []string
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if counts = closingLine.FindStringSubmatch(lines.Text()); counts == nil {
				fmt.Println("  " + strings.TrimRight(lines.Text(), " "))
			}
		}
		err = cmd.Wait()
		if counts == nil {
			report.fail(name, fmt.Sprintf("ended without counts: %v", err))
			continue
		}
		passed, _ := strconv.Atoi(counts[1])
		failed, _ := strconv.Atoi(counts[2])
		skipped, _ := strconv.Atoi(counts[3])
		report.add(passed, failed, skipped, "Go's own tests: skipped natively too, or listed in known-failures.txt")
		if err != nil && failed == 0 {
			report.fail(name, err.Error())
		}
	}
	return nil
}
