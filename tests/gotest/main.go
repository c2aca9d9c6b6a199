// Go's own tests in VMs: every `// run` program of the distribution's test/
// directory and the tests of every standard package and of golang.org/x/net, compared with a native run on
// the same machine.
//
//	gotest [-platform kvm|qemu] [-packages LIST] [-quick] [-jobs N] [-json FILE] [-list]
//
// LIST names packages (strings, encoding/...) and programs (test/chan, test/ken/chan.go).
// What may differ from the native result, and why, is in known-failures.txt; any
// other difference fails the run, and a listed test that passes is reported, so that
// the list shrinks. Binaries and native results are kept below build/gotest.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"burrow/tests/machine"
)

type options struct {
	root     string
	platform machine.Platform
	jobs     int
	quick    bool
	fresh    bool
	wanted   []string // packages and programs; empty: all
	cache    string   // build/gotest/VERSION
	archive  string
	mem      string
	cpus     string
}

func main() {
	platform := flag.String("platform", "", "kvm, qemu or native (tries the tool itself); default: kvm if usable, else qemu")
	packages := flag.String("packages", "", "only these packages and programs, separated by commas or blanks")
	quick := flag.Bool("quick", false, "a small selection, for every `make test`")
	jobs := flag.Int("jobs", 2, "how many VMs run at once")
	jsonPath := flag.String("json", "", "where to write the results (default: build/gotest/result-PLATFORM.json)")
	fresh := flag.Bool("fresh", false, "run natively again even if results are kept")
	mem := flag.String("mem", "4G", "memory of a VM")
	cpus := flag.String("cpus", "2", "vcpus of a VM")
	suggestLines := flag.Bool("suggest", false, "print the lines that known-failures.txt lacks")
	list := flag.Bool("list", false, "only list what would run")
	flag.Parse()

	root, err := machine.Root()
	exitOn(err)
	opts := options{root: root, platform: machine.Platform(*platform), jobs: *jobs, quick: *quick, fresh: *fresh, mem: *mem, cpus: *cpus}
	opts.wanted = strings.FieldsFunc(*packages, func(r rune) bool { return r == ',' || r == ' ' })
	exitOn(opts.choosePlatform())
	distribution, err := openDistribution()
	exitOn(err)
	opts.cache = filepath.Join(root, "build", "gotest", distribution.version)
	exitOn(os.MkdirAll(opts.cache, 0o755))
	known, err := readKnownFailures(filepath.Join(root, "tests", "gotest", "known-failures.txt"))
	exitOn(err)

	suites, err := distribution.suites(opts, known)
	exitOn(err)
	if *list {
		for _, s := range suites {
			fmt.Println(s.name())
		}
		return
	}
	if len(suites) == 0 {
		exitOn(fmt.Errorf("nothing is called %s", strings.Join(opts.wanted, ", ")))
	}
	fmt.Printf("go %s, %s, %d programs and packages\n", distribution.version, opts.platform, len(suites))
	if opts.platform != machine.Native {
		opts.archive, err = distribution.makeArchive(opts, suites)
		exitOn(err)
	}
	results := runAll(opts, distribution, known, suites)
	if *jsonPath == "" {
		*jsonPath = filepath.Join(root, "build", "gotest", "result-"+string(opts.platform)+".json")
	}
	if *suggestLines {
		suggest(results)
	}
	exitOn(writeJSON(*jsonPath, distribution, opts, results))
	os.Exit(printTable(opts, known, results))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(2)
	}
}

func (o *options) choosePlatform() error {
	if o.platform == "" {
		o.platform = machine.KVM
		if machine.Unusable(machine.KVM, o.root) != "" {
			o.platform = machine.QEMU
		}
	}
	if why := machine.Unusable(o.platform, o.root); why != "" {
		return fmt.Errorf("platform %s: %s", o.platform, why)
	}
	return nil
}

// wants tells whether a name was asked for.
func (o options) wants(name string) bool {
	if len(o.wanted) == 0 {
		return true
	}
	for _, want := range o.wanted {
		want = strings.TrimSuffix(want, "/...")
		if name == want || strings.HasPrefix(name, want+"/") {
			return true
		}
	}
	return false
}
