package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"burrow/tests/machine"
)

const diffLimit = 60 * time.Second

// runDiff runs the programs of tests/diff natively and on every platform and
// compares standard output and status byte for byte.
func runDiff(opts options, report *report) error {
	programs, err := buildSuite(opts, "diff", report)
	if err != nil {
		return err
	}
	var tasks []task
	for _, p := range programs {
		for _, platform := range opts.platforms {
			p, platform := p, platform
			tasks = append(tasks, task{
				name: taskName("diff", p.test, "default", platform),
				run:  func() string { return diffProgram(platform, opts.root, p) },
			})
		}
	}
	runTasks(opts, report, tasks)
	return nil
}

type recording struct {
	stdout []byte
	stderr []byte
	status int
	shell  string
}

// record runs a program to its end. Both sides start in an empty directory on a
// memory file system.
func record(platform machine.Platform, root, path string) (recording, error) {
	spec := machine.Program{Path: path, Cwd: "/run"} // /tmp may hold the program itself
	if platform == machine.Native {
		scratch, err := scratchInMemory()
		if err != nil {
			return recording{}, err
		}
		defer os.RemoveAll(scratch)
		spec.Cwd = scratch
	}
	cmd := machine.Command(platform, root, spec)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return recording{}, err
	}
	timedOut, err := machine.Wait(cmd, diffLimit)
	if timedOut {
		err = fmt.Errorf("not finished after %s; stdout ends:\n%s", diffLimit, tail(stdout.Bytes(), 5))
	}
	return recording{stdout.Bytes(), stderr.Bytes(), machine.Status(cmd), machine.Shell(cmd)}, err
}

// scratchInMemory makes a directory on tmpfs if the host has one.
func scratchInMemory() (string, error) {
	if scratch, err := os.MkdirTemp("/dev/shm", "burrow-test-"); err == nil {
		return scratch, nil
	}
	return os.MkdirTemp("", "burrow-test-")
}

func diffProgram(platform machine.Platform, root string, p program) string {
	native, err := record(machine.Native, root, p.path)
	if err != nil {
		return "natively: " + err.Error()
	}
	guest, err := record(platform, root, p.path)
	if err != nil {
		return err.Error() + "\ncommand: " + guest.shell
	}
	differences := diffLines(native.stdout, guest.stdout)
	if native.status != guest.status {
		differences = append(differences, fmt.Sprintf("status %d, natively %d", guest.status, native.status))
	}
	if len(differences) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d differences (- natively, + %s)\n", len(differences), platform)
	if len(differences) > 40 {
		differences = append(differences[:40], "…")
	}
	text += strings.Join(differences, "\n") + "\n"
	if len(guest.stderr) > 0 {
		text += "stderr:\n" + tail(guest.stderr, 15) + "\n"
	}
	return text + "command: " + guest.shell
}

// diffLines pairs the lines of two outputs. The programs number their results by
// name ("name = value"), so lines with the same key are compared with each other.
func diffLines(native, guest []byte) []string {
	var differences []string
	want := strings.Split(string(native), "\n")
	got := strings.Split(string(guest), "\n")
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i] == got[j]:
			i, j = i+1, j+1
		case j < len(got) && (i >= len(want) || indexOfKey(want[i:], got[j]) < 0):
			differences = append(differences, "+ "+got[j])
			j++
		case i < len(want) && (j >= len(got) || indexOfKey(got[j:], want[i]) < 0):
			differences = append(differences, "- "+want[i])
			i++
		case key(want[i]) == key(got[j]):
			differences = append(differences, "- "+want[i], "+ "+got[j])
			i, j = i+1, j+1
		default:
			differences = append(differences, "- "+want[i])
			i++
		}
	}
	return differences
}

func key(line string) string {
	if at := strings.Index(line, " = "); at >= 0 {
		return line[:at]
	}
	return line
}

func indexOfKey(lines []string, line string) int {
	for i, other := range lines {
		if key(other) == key(line) {
			return i
		}
	}
	return -1
}
