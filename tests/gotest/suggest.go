package main

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// What a test says when it wanted a process or the network.
var (
	execMarks = regexp.MustCompile(`fork/exec|function not implemented|executable file not found|'go build' unavailable|exec\(self\)|cannot (?:exec|run|start)|can't find pwd|not have exec|pidfd|pipe: no process|exec: |Failed to start|StartProcess|re-?exec|subprocess|child process`)
	netMarks  = regexp.MustCompile(`address family not supported|NewLocalListener|is not supported on linux/|failed to listen|socket: |listen (?:tcp|udp|unix)|dial (?:tcp|udp|unix)|lookup |no such network|netpoll.*socket|/dev/net/tun`)
	boundary  = regexp.MustCompile(`(?m)(?:^|\x16)=== (?:RUN|NAME|CONT|PAUSE)[ \t]+(\S*)`)
)

// outputOf gathers what a test and its subtests printed.
func outputOf(output, test string) string {
	var gathered strings.Builder
	marks := boundary.FindAllStringSubmatchIndex(output, -1)
	for i, mark := range marks {
		name := output[mark[2]:mark[3]]
		if name != test && !strings.HasPrefix(name, test+"/") {
			continue
		}
		end := len(output)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		gathered.WriteString(output[mark[1]:end])
	}
	return gathered.String()
}

// suggest prints the lines that known-failures.txt would need: a test that fails as a
// whole, else the subtests that do. A reason that the output does not show is "?": look at it.
func suggest(results []comparison) {
	for _, c := range results {
		lines, worse := map[string]string{}, map[string]bool{}
		for _, d := range c.Differences {
			worse[d.Test] = true
		}
		for _, d := range c.Differences {
			test := strings.SplitN(d.Test, "/", 2)[0]
			if !worse[test] {
				test = d.Test // only this subtest, not the whole
			}
			if d.Known != "" || strings.HasPrefix(test, "(") {
				continue
			}
			text := outputOf(c.output, test)
			reason := "?"
			if netMarks.MatchString(text) {
				reason = "network"
			}
			if execMarks.MatchString(text) && reason != "network" {
				reason = "exec"
			}
			if strings.Contains(text, "panic:") && c.Ended != "" {
				reason += " skip"
			}
			lines[test] = fmt.Sprintf("%s %s %s # natively %s, here %s", c.Name, test, reason, d.Native, d.VM)
		}
		tests := make([]string, 0, len(lines))
		for test := range lines {
			tests = append(tests, test)
		}
		sort.Strings(tests)
		for _, test := range tests {
			fmt.Println(lines[test])
		}
	}
}
