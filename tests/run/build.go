package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"burrow/tests/machine"
)

// program is one built variant of a test directory.
type program struct {
	test  string // name of the directory, with the variant unless it is the only one
	dir   string
	path  string
	cases []testCase
}

// buildSuite builds every program below tests/SUITE: Go directories with the
// toolchain at hand, C directories statically with gcc (glibc) and musl-gcc.
func buildSuite(opts options, suite string, report *report) ([]program, error) {
	dirs, err := filepath.Glob(filepath.Join(opts.root, "tests", suite, "*"))
	if err != nil {
		return nil, err
	}
	sort.Strings(dirs)
	out := programDir(opts, suite)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	var programs []program
	var jobs []*exec.Cmd
	haveGo := false
	for _, dir := range dirs {
		test := filepath.Base(dir)
		cases, err := readCases(test, dir)
		if err != nil {
			return nil, err
		}
		add := func(variant string) string {
			path := filepath.Join(out, test+variant)
			programs = append(programs, program{test: test + variant, dir: dir, path: path, cases: cases})
			return path
		}
		if goFiles, _ := filepath.Glob(dir + "/*.go"); len(goFiles) > 0 {
			haveGo = true
			add("")
			for _, mode := range cases[0].builds {
				jobs = append(jobs, goBuild(opts, "-buildmode="+mode, "-o", add("-"+mode), "./"+suite+"/"+test))
			}
		} else if sources, _ := filepath.Glob(dir + "/*.c"); len(sources) > 0 {
			for _, library := range librariesOf(suite) {
				if len(cases[0].builds) > 0 && !contains(cases[0].builds, library) {
					continue
				}
				compiler := map[string]string{"glibc": "gcc", "musl": "musl-gcc"}[library]
				if _, err := exec.LookPath(compiler); err != nil {
					report.skip(suite+"/"+test+"-"+library, "no "+compiler)
					continue
				}
				path := add("-" + library)
				if isNewer(path, append(sources, filepath.Join(opts.root, "tests", "check", "check.h"))) {
					continue
				}
				jobs = append(jobs, cBuild(opts, compiler, path, sources))
			}
		}
	}
	if haveGo {
		jobs = append([]*exec.Cmd{goBuild(opts, "-o", out+"/", "./"+suite+"/...")}, jobs...)
	}
	return programs, runBuilds(opts, jobs)
}

// librariesOf: differential programs make raw system calls, so one library is enough.
func librariesOf(suite string) []string {
	if suite == "diff" {
		return []string{"glibc"}
	}
	return []string{"glibc", "musl"}
}

func contains(list []string, word string) bool {
	for _, item := range list {
		if item == word {
			return true
		}
	}
	return false
}

func isNewer(path string, sources []string) bool {
	built, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, source := range sources {
		if info, err := os.Stat(source); err != nil || info.ModTime().After(built.ModTime()) {
			return false
		}
	}
	return true
}

func goBuild(opts options, args ...string) *exec.Cmd {
	return machine.GoCommand(opts.root, "tests", append([]string{"build", "-buildvcs=false"}, args...)...)
}

func cBuild(opts options, compiler, path string, sources []string) *exec.Cmd {
	args := []string{"-static", "-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-pthread",
		"-I" + filepath.Join(opts.root, "tests"), "-o", path}
	cmd := exec.Command(compiler, append(args, sources...)...)
	cmd.Dir = opts.root
	return cmd
}

// runBuilds runs the commands, some at once, and gathers the errors.
func runBuilds(opts options, jobs []*exec.Cmd) error {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var errors []string
	slots := make(chan bool, opts.jobs)
	for _, job := range jobs {
		wait.Add(1)
		slots <- true
		go func(job *exec.Cmd) {
			defer func() { <-slots; wait.Done() }()
			if output, err := job.CombinedOutput(); err != nil {
				mutex.Lock()
				errors = append(errors, fmt.Sprintf("%s: %v\n%s", machine.Shell(job), err, tail(output, 20)))
				mutex.Unlock()
			}
		}(job)
	}
	wait.Wait()
	if len(errors) > 0 {
		return fmt.Errorf("programs do not build:\n%s", strings.Join(errors, "\n"))
	}
	return nil
}
