// The test runner: unit tests, VM tests, differential tests and the quick part of
// Go's own tests, each on every platform that this machine can use.
//
//	run [-suites unit,vm,diff,disk,volume,crash,network,go,toolchains,programs,soak] [-platforms native,kvm,qemu] [-run REGEXP] [-long] [-v] [UNIT-TEST...]
//
// Every failure prints a short diagnosis with the command that repeats it; what
// was skipped is named and counted. The last line is "N passed, M failed, K skipped".
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

type options struct {
	root      string
	platforms []machine.Platform
	filter    *regexp.Regexp
	long      bool
	verbose   bool
	jobs      int
	unitTests []string

	soakConnections int
	soakTime        time.Duration
}

func main() {
	suites := flag.String("suites", "", "which of unit, vm, diff, disk, volume, crash, network, go, toolchains, programs, soak, separated by commas (default: all; the last three only with -long)")
	platforms := flag.String("platforms", "kvm,qemu", "which platforms, separated by commas; native tries the tests themselves")
	filter := flag.String("run", "", "only tests whose name (vm/hello/default@kvm) matches this expression")
	long := flag.Bool("long", false, "also the tests that take long")
	verbose := flag.Bool("v", false, "name every test that passes")
	jobs := flag.Int("jobs", 2, "how many tests run at once")
	soakConnections := flag.Int("soak-connections", 100000, "suite soak: how many connections, one after the other")
	soakTime := flag.Duration("soak-time", 2*time.Minute, "suite soak: how long the mixed load lasts")
	flag.Parse()

	root, err := machine.Root()
	if err != nil {
		fatal(err)
	}
	opts := options{root: root, long: *long, verbose: *verbose, jobs: *jobs, unitTests: flag.Args(),
		soakConnections: *soakConnections, soakTime: *soakTime}
	if opts.filter, err = regexp.Compile(*filter); err != nil {
		fatal(err)
	}
	report := newReport(*verbose)
	for _, name := range strings.Split(*platforms, ",") {
		platform := machine.Platform(name)
		if why := machine.Unusable(platform, root); why != "" {
			report.note("platform %s: %s", platform, why)
			report.skipMany("platform "+name, why)
			continue
		}
		opts.platforms = append(opts.platforms, platform)
	}

	if *suites == "" {
		*suites = "unit,vm,diff,disk,volume,crash,network,go"
		if *long {
			*suites += ",toolchains,programs,soak"
		}
	}
	endOnInterrupt()
	for _, suite := range strings.Split(*suites, ",") {
		switch suite {
		case "unit":
			runUnit(opts, report)
		case "vm":
			err = runVM(opts, report)
		case "diff":
			err = runDiff(opts, report)
		case "disk":
			err = runDisk(opts, report)
		case "volume":
			err = runVolume(opts, report)
		case "crash":
			err = runCrash(opts, report)
		case "network":
			err = runNetwork(opts, report)
		case "go":
			err = runQuickConformance(opts, report)
		case "toolchains":
			err = runToolchains(opts, report)
		case "programs":
			err = runPrograms(opts, report)
		case "soak":
			err = runSoak(opts, report)
		default:
			err = fmt.Errorf("no suite %q", suite)
		}
		if err != nil {
			report.fail(suite, err.Error())
			err = nil
		}
	}
	os.Exit(report.close())
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "run:", err)
	os.Exit(2)
}

// endOnInterrupt removes the scratch directory and leaves; the children have
// process groups of their own and die with us (Pdeathsig).
func endOnInterrupt() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(130)
	}()
}

// programDir is where the programs of a suite are built.
func programDir(opts options, suite string) string {
	return filepath.Join(opts.root, "build", "tests", suite)
}
