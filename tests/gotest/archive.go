package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"burrow/tests/cpio"
	"burrow/tests/machine"
)

// hostFiles are what Go's standard library looks for besides GOROOT.
var hostFiles = []string{
	"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services",
	"/etc/protocols", "/etc/mime.types", "/etc/localtime", "/usr/share/zoneinfo",
	"/usr/share/mime/globs2", "/etc/os-release",
}

// makeArchive makes the archive that all VMs map: GOROOT without its tools, and
// what the tests look for in /etc. It is made once for each Go version; the quick
// selection has a small one of its own.
func (d distribution) makeArchive(opts options, suites []suite) (string, error) {
	name := "goroot.cpio"
	if opts.quick {
		name = "quick.cpio"
	}
	path := filepath.Join(opts.cache, name)
	entries := d.archived(opts, suites)
	list := strings.Join(append(entries, hostFiles...), "\n")
	if made, err := os.ReadFile(path + ".list"); err == nil && string(made) == list {
		return path, nil
	}
	fmt.Println("making", path)
	out, err := os.Create(path + ".new")
	if err != nil {
		return "", err
	}
	w := cpio.NewWriter(out)
	for _, file := range hostFiles {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			if err := w.AddTree(real, file); err != nil {
				return "", err
			}
		}
	}
	for _, entry := range entries {
		real, err := filepath.EvalSymlinks(filepath.Join(d.goroot, entry))
		if err != nil {
			continue // this distribution does without
		}
		if err := w.AddTree(real, filepath.Join(d.goroot, entry)); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if err := out.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", err
	}
	return path, os.WriteFile(path+".list", []byte(list), 0o644)
}

// archived names what of GOROOT goes into the archive.
func (d distribution) archived(opts options, suites []suite) []string {
	if !opts.quick {
		return []string{"VERSION", "go.env", "api", "doc", "lib", "misc", "src", "test"}
	}
	entries := []string{"VERSION", "go.env", "lib/time", "src/go.mod", "src/unicode"}
	seen := map[string]bool{}
	for _, s := range suites {
		if dir := "src/" + s.pkg; s.pkg != "" && s.root == "" && !seen[dir] {
			seen[dir] = true
			entries = append(entries, dir)
		}
		if dir := strings.TrimPrefix(s.dir(d), d.goroot+"/"); s.program != "" && dir != "test" && !seen[dir] {
			seen[dir] = true
			entries = append(entries, dir)
		}
	}
	return entries
}

// program says how a suite's binary runs on a platform.
func (s suite) programSpec(opts options, d distribution, platform machine.Platform, args []string) machine.Program {
	p := machine.Program{
		Path: s.binary(opts),
		Args: args,
		Env:  append([]string{"GOROOT=" + d.goroot, "GOTRACEBACK=all"}, s.env...),
		Cwd:  s.dir(d),
	}
	if s.program != "" {
		p.Env = append([]string{"GOROOT=" + d.goroot}, s.env...)
	}
	if platform != machine.Native {
		p.Env = append(p.Env, "TMPDIR=/tmp", "HOME=/tmp")
		p.Flags = []string{"--mem", opts.mem, "--cpus", opts.cpus, "--files", opts.archive}
		if s.root != "" {
			p.Flags = append(p.Flags, "--add", s.root)
		}
		if _, err := exec.LookPath("passt"); err == nil && s.usesNetwork() {
			p.Flags = append(p.Flags, "--net", "eth0=passt")
		}
	}
	return p
}
