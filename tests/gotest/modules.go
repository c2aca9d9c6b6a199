package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"burrow/tests/machine"
)

// A moduleSource is a module beside the standard library whose tests are run too: it comes
// from the module proxy, and without one its packages are skipped.
type moduleSource struct {
	module   string
	packages []string // below the module
}

const netVersion = "v0.33.0"

var moduleSources = []moduleSource{{
	module:   "golang.org/x/net@" + netVersion,
	packages: []string{"dns/dnsmessage", "http2", "http2/h2c", "http2/hpack", "icmp", "ipv4", "ipv6", "nettest", "netutil", "proxy", "quic", "websocket"},
}}

// suites lists the packages of a module; they are wanted only as far as opts say, so that
// nothing is fetched for a run of strings.
func (m moduleSource) suites(opts options) []suite {
	path := m.module[:strings.IndexByte(m.module, '@')]
	var found []suite
	for _, name := range m.packages {
		if opts.wants(path + "/" + name) {
			found = append(found, suite{pkg: path + "/" + name})
		}
	}
	if opts.quick || len(found) == 0 {
		return nil
	}
	root, why := m.fetch()
	for i := range found {
		found[i].root = filepath.Join(root, found[i].pkg[len(path):])
		found[i].missing = why
	}
	return found
}

// fetch gives the module's directory, or why it cannot be had.
func (m moduleSource) fetch() (root, why string) {
	download := exec.Command("go", "mod", "download", "-json", m.module)
	list := exec.Command("go", "env", "GOMODCACHE")
	for _, cmd := range []*exec.Cmd{download, list} {
		cmd.Env, cmd.Dir = machine.GoEnvironment(), os.TempDir()
	}
	if output, err := download.CombinedOutput(); err != nil {
		return "", m.module + " cannot be had here: " + firstLine(output)
	}
	output, err := list.Output()
	if err != nil {
		return "", "go env GOMODCACHE: " + err.Error()
	}
	return filepath.Join(strings.TrimSpace(string(output)), m.module), ""
}
