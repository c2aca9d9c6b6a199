package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// soakLimit is for the sequential part, and for sockets to wait out their time.
const soakLimit = 15 * time.Minute

// runSoak lets tests/soak's client load its server in a VM, on a tap in a network namespace.
func runSoak(opts options, report *report) error {
	path := filepath.Join(programDir(opts, "network"), "soak")
	if output, err := machine.GoCommand(opts.root, "tests", "build", "-buildvcs=false", "-o", path, "./soak").CombinedOutput(); err != nil {
		return fmt.Errorf("tests/soak: %v\n%s", err, output)
	}
	var tasks []task
	for _, platform := range opts.platforms {
		platform, space := platform, fmt.Sprintf("burrow-soak-%d-%s", os.Getpid(), platform)
		t := task{name: taskName("soak", "network", "default", platform), alone: true}
		if os.Geteuid() != 0 {
			t.skip = "needs root for a network namespace"
		}
		t.run = func() string { return soak(opts, platform, space, path) }
		tasks = append(tasks, t)
	}
	runTasks(opts, report, tasks)
	return nil
}

// soak returns "" or a diagnosis. An emulated machine gets a twentieth of the connections.
func soak(opts options, platform machine.Platform, space, path string) string {
	const address = "10.77.0.2:7000"
	connections := opts.soakConnections
	if platform == machine.QEMU {
		connections /= 20
	}
	defer exec.Command("ip", "netns", "del", space).Run()
	if err := makeSpace(space); err != nil {
		return err.Error()
	}
	flags := []string{"--net", "eth0=tap:tap0", "--ip", "10.77.0.2/24", "--mem", "512M"}
	server := inSpace(space, machine.Command(platform, opts.root, machine.Program{Path: path, Args: []string{"serve", "7000"}, Flags: flags}))
	return serve(server, "listening on", 128+int(syscall.SIGTERM), func() error {
		words := []string{path, "load", address, fmt.Sprint(connections), opts.soakTime.String()}
		client := inSpace(space, exec.Command(words[0], words[1:]...))
		var printed bytes.Buffer
		client.Stdout, client.Stderr = &printed, &printed
		err := client.Start()
		if err == nil {
			var timedOut bool
			if timedOut, err = machine.Wait(client, opts.soakTime*2+soakLimit); timedOut {
				err = fmt.Errorf("the client did not finish")
			} else if err == nil && machine.Status(client) != 0 {
				err = fmt.Errorf("the client ended with status %d", machine.Status(client))
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(printed.String()))
		}
		if opts.verbose {
			fmt.Print(printed.String())
		}
		return nil
	})
}
