package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

// print says one line about a package, and more about what fails; programs that
// pass are too many to be named.
func (c comparison) print() {
	isProgram := strings.HasPrefix(c.Name, "test/")
	switch {
	case c.Skipped != "":
		if !strings.HasPrefix(c.Skipped, "known: ") {
			fmt.Printf("skip    %-40s %s\n", c.Name, c.Skipped)
		}
	case c.Failed > 0:
		fmt.Printf("FAILED  %-40s %d passed, %d failed, %d listed (%.1f s, natively %.1f s) %s\n",
			c.Name, c.Passed, c.Failed, c.Listed, c.VMTime, c.NativeTime, c.Ended)
		shown := 0
		for _, d := range c.Differences {
			if d.Known == "" && !isProgram {
				if shown++; shown > 20 {
					fmt.Printf("        … and %d more\n", c.Failed-20)
					break
				}
				fmt.Printf("        %s: %s, natively %s\n", d.Test, d.VM, d.Native)
			}
		}
		for _, line := range strings.Split(c.excerpt, "\n") {
			fmt.Printf("        | %s\n", line)
		}
		fmt.Printf("        command: %s\n", c.shell)
	case !isProgram:
		fmt.Printf("ok      %-40s %d passed, %d listed (%.1f s, natively %.1f s)\n", c.Name, c.Passed, c.Listed, c.VMTime, c.NativeTime)
	}
	if len(c.SecondTry) > 0 {
		fmt.Printf("        passed only at the second try: %s\n", strings.Join(c.SecondTry, " "))
	}
}

// printTable prints the sums; the closing line is the last.
func printTable(opts options, known *knownFailures, results []comparison) int {
	var passed, failed, skipped, programs, programsPassed int
	var slower []string
	reasons := map[string]int{}
	for _, c := range results {
		passed, failed = passed+c.Passed, failed+c.Failed
		skipped += c.Listed + c.VM.Skip
		if c.Skipped != "" {
			skipped++
			reasons[strings.SplitN(c.Skipped, ": ", 3)[0]]++
		}
		for _, d := range c.Differences {
			if d.Known != "" {
				reasons["known: "+d.Known]++
				if d.VM == "SKIP" {
					skipped-- // counted once
				}
			}
		}
		if strings.HasPrefix(c.Name, "test/") && c.Skipped == "" {
			programs++
			programsPassed += c.Passed
		} else if c.NativeTime > 1 && c.VMTime > 2*c.NativeTime {
			slower = append(slower, fmt.Sprintf("%s %.1f×", c.Name, c.VMTime/c.NativeTime))
		}
	}
	for _, entry := range known.passing() {
		fmt.Printf("passes now, take it off the list: %s %s %s\n", entry.pkg, entry.test, entry.reason)
	}
	names := make([]string, 0, len(reasons))
	for reason := range reasons {
		names = append(names, reason)
	}
	sort.Strings(names)
	for _, reason := range names {
		fmt.Printf("skipped %d: %s\n", reasons[reason], reason)
	}
	if len(slower) > 0 {
		fmt.Printf("more than twice as slow as natively: %s\n", strings.Join(slower, ", "))
	}
	fmt.Printf("programs of test/: %d of %d\n", programsPassed, programs)
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}

func writeJSON(path string, d distribution, opts options, results []comparison) error {
	content, err := json.MarshalIndent(map[string]interface{}{
		"go": d.version, "platform": string(opts.platform), "mem": opts.mem, "cpus": opts.cpus, "results": results,
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
