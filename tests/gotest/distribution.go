package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"burrow/tests/machine"
)

// distribution is the Go installation whose tests are run.
type distribution struct {
	goroot  string
	version string
	minor   int // of the version
}

// suite is one test binary: a package's tests or one program of test/.
type suite struct {
	pkg     string   // import path, or ""
	program string   // path below GOROOT/test, or ""
	flags   []string // go build
	args    []string // of the program
	files   []string // further source files
	env     []string
	root    string // directory of a package that is not the distribution's
	missing string // why it cannot be built
}

func (s suite) name() string {
	if s.program != "" {
		return "test/" + s.program
	}
	return s.pkg
}

// binary is where the test binary is kept.
func (s suite) binary(opts options) string {
	return filepath.Join(opts.cache, "bin", strings.ReplaceAll(strings.TrimSuffix(s.name(), ".go"), "/", "_")+".test")
}

func (s suite) dir(d distribution) string {
	if s.program != "" {
		return filepath.Join(d.goroot, "test", filepath.Dir(s.program))
	}
	if s.root != "" {
		return s.root
	}
	return filepath.Join(d.goroot, "src", s.pkg)
}

// usesNetwork tells whether a suite is also to find an interface that is not loopback.
func (s suite) usesNetwork() bool {
	return s.root != "" || s.pkg == "net" || strings.HasPrefix(s.pkg, "net/") || s.pkg == "crypto/tls" || s.pkg == "log/syslog"
}

// quickPackages cover threads, timers, signals, files and pipes in short time.
var quickPackages = []string{
	"bufio", "context", "encoding/json", "errors", "io", "os/signal", "path/filepath",
	"runtime/debug", "strconv", "sync", "sync/atomic", "time",
}

// quickStep selects every so many-th program of test/: about 60.
const quickStep = 17

func openDistribution() (distribution, error) {
	cmd := exec.Command("go", "env", "GOROOT", "GOVERSION")
	cmd.Env = machine.GoEnvironment()
	output, err := cmd.Output()
	if err != nil {
		return distribution{}, fmt.Errorf("go env: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if len(lines) != 2 {
		return distribution{}, fmt.Errorf("go env printed %q", output)
	}
	d := distribution{goroot: lines[0], version: strings.TrimPrefix(strings.Fields(lines[1])[0], "go")}
	fmt.Sscanf(d.version, "1.%d", &d.minor)
	return d, nil
}

// suites lists what is wanted, programs first: they are many and short.
func (d distribution) suites(opts options, known *knownFailures) ([]suite, error) {
	programs, err := d.programs()
	if err != nil {
		return nil, err
	}
	packages, err := d.packages()
	if err != nil {
		return nil, err
	}
	var chosen []suite
	for i, s := range programs {
		if opts.quick && i%quickStep != 0 || !opts.wants(s.name()) {
			continue
		}
		chosen = append(chosen, s)
	}
	for _, s := range packages {
		if opts.quick && !contains(quickPackages, s.pkg) || !opts.wants(s.name()) {
			continue
		}
		chosen = append(chosen, s)
	}
	for _, m := range moduleSources {
		chosen = append(chosen, m.suites(opts)...)
	}
	return chosen, nil
}

func contains(list []string, word string) bool {
	for _, item := range list {
		if item == word {
			return true
		}
	}
	return false
}

// programs finds the `// run` programs of GOROOT/test; some distributions leave
// the directory out.
func (d distribution) programs() ([]suite, error) {
	top, err := filepath.EvalSymlinks(filepath.Join(d.goroot, "test"))
	if err != nil {
		fmt.Printf("no %s/test: its programs are skipped\n", d.goroot)
		return nil, nil
	}
	var found []suite
	err = filepath.Walk(top, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		words, err := recipe(path)
		if err != nil {
			return err
		}
		if len(words) > 0 && words[0] == "run" {
			if s, ok := programSuite(name, words[1:]); ok {
				found = append(found, s)
			}
		}
		return nil
	})
	sort.Slice(found, func(i, j int) bool { return found[i].program < found[j].program })
	return found, err
}

// recipe gives the words of a program's first comment that is not a build constraint.
func recipe(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "//go:build") || strings.HasPrefix(line, "// +build") {
			continue
		}
		if !strings.HasPrefix(line, "//") {
			return nil, nil
		}
		return splitQuoted(strings.TrimPrefix(line, "//")), nil
	}
	return nil, nil
}

// splitQuoted splits at blanks; quotes of either kind hold words together.
func splitQuoted(text string) (words []string) {
	word, inWord, quote := "", false, rune(0)
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			if inWord {
				words = append(words, word)
			}
			word, inWord = "", false
		default:
			word, inWord = word+string(r), true
		}
	}
	if inWord {
		words = append(words, word)
	}
	return words
}

func programSuite(name string, words []string) (suite, bool) {
	s := suite{program: name}
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch words[0] {
		case "-race":
			return s, false // needs cgo
		case "-goexperiment", "-godebug":
			if len(words) < 2 {
				return s, false
			}
			variable := map[string]string{"-goexperiment": "GOEXPERIMENT=", "-godebug": "GODEBUG="}[words[0]]
			s.env = append(s.env, variable+words[1])
			words = words[1:]
		default:
			s.flags = append(s.flags, words[0])
			if words[0] == "-gcflags" && len(words) > 1 {
				s.flags = append(s.flags, words[1])
				words = words[1:]
			}
		}
		words = words[1:]
	}
	for len(words) > 0 && strings.HasSuffix(words[0], ".go") {
		s.files = append(s.files, words[0])
		words = words[1:]
	}
	s.args = words
	return s, true
}

// packages lists the standard packages that have tests.
func (d distribution) packages() ([]suite, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,TestGoFiles,XTestGoFiles", "std")
	if d.minor < 20 {
		cmd = exec.Command("go", "list", "-json", "std")
	}
	cmd.Env, cmd.Dir, cmd.Stderr = machine.GoEnvironment(), filepath.Join(d.goroot, "src"), os.Stderr
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	var found []suite
	for decoder := json.NewDecoder(output); ; {
		var p struct {
			ImportPath                string
			TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list std: %v", err)
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 {
			found = append(found, suite{pkg: p.ImportPath})
		}
	}
	return found, cmd.Wait()
}
