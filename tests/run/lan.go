package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// A lan is a network namespace with a tap for a VM in it, and a real daemon that tells the VM
// its addresses. Needs root and the daemon.
type lan struct {
	name   string
	daemon string
	// command of the daemon; {dir} is a scratch directory, where `config` is written to.
	command []string
	config  string
	flags   []string // of burrow run, beside the interface
	time    bool     // tests/lan also serves the time, a million seconds ahead
	args    []string // of tests/lan; nobody listens at port 9, so that who refuses was reached
	want    []string // expressions that must match what it prints
}

var dnsmasqCommand = []string{"dnsmasq", "--no-daemon", "--conf-file={dir}/config", "--pid-file=", "--dhcp-leasefile={dir}/leases", "--no-resolv", "--no-hosts", "--bind-interfaces", "--except-interface=lo", "--interface=tap0"}

var lans = []lan{
	{
		// With the second that dnsmasq itself waits before it offers an address.
		name: "dhcp", daemon: "dnsmasq", command: dnsmasqCommand,
		config: "dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h\ndomain=burrow.test\nhost-record=host.burrow.test,192.0.2.9\n",
		args:   []string{"4", "host.burrow.test", "10.78.0.1:9"},
		want: []string{
			`(?m)^lookup host.burrow.test \[192.0.2.9\] <nil>$`, `(?m)^dial 10.78.0.1:9 .*connection refused$`,
			`(?m)^address \[10\.77\.0\.[5-9]\d/24\]`, `resolver "nameserver 10.77.0.1\\n"`, `eth0\\t00000000\\t01004D0A`,
		},
	},
	{
		name: "slaac", daemon: "dnsmasq", command: dnsmasqCommand,
		config: "enable-ra\ndhcp-range=fd00:b::,ra-stateless,64,1h\nhost-record=host.burrow.test,2001:db8::9\n",
		flags:  []string{"--ip", "none,ra"},
		args:   []string{"6", "host.burrow.test", "[2001:db8:9::1]:9"},
		want: []string{
			`(?m)^lookup host.burrow.test \[2001:db8::9\] <nil>$`, `(?m)^dial \[2001:db8:9::1\]:9 .*connection refused$`,
			`(?m)^address \[\] \[fd00:b::[0-9a-f:]+/64\]`, `resolver "nameserver fd00:b::1\\n"`,
		},
	},
	{
		name: "time", time: true, command: []string{"sleep", "60"}, daemon: "sleep",
		flags: []string{"--ip", "10.77.0.2/24", "--ntp", "10.77.0.1"},
		args:  []string{"time"},
		want:  []string{`(?m)^the clock is 1000000 s ahead$`},
	},
	{
		name: "radvd", daemon: "radvd", command: []string{"radvd", "-n", "-C", "{dir}/config", "-p", "{dir}/pid"},
		config: "interface tap0 {\n AdvSendAdvert on;\n MinRtrAdvInterval 3;\n MaxRtrAdvInterval 4;\n" +
			" prefix fd00:b::/64 { };\n RDNSS fd00:b::1 { };\n};\n",
		flags: []string{"--ip", "none,ra"},
		args:  []string{"6", "[2001:db8:9::1]:9"},
		want: []string{
			`(?m)^dial \[2001:db8:9::1\]:9 .*connection refused$`,
			`(?m)^address \[\] \[fd00:b::[0-9a-f:]+/64\]`, `resolver "nameserver fd00:b::1\\n"`,
		},
	},
}

// lanTasks builds the program that the VMs run.
func lanTasks(opts options) ([]task, error) {
	path := filepath.Join(programDir(opts, "network"), "lan")
	if output, err := machine.GoCommand(opts.root, "tests", "build", "-buildvcs=false", "-o", path, "./lan").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tests/lan: %v\n%s", err, output)
	}
	var tasks []task
	for i, l := range lans {
		for _, platform := range opts.platforms {
			l, platform, space := l, platform, fmt.Sprintf("burrow-lan-%d-%d-%s", os.Getpid(), i, platform)
			t := task{name: taskName("network", l.name, "default", platform)}
			t.run = func() string { return l.run(opts, platform, space, path) }
			if platform == machine.Native {
				t.skip = "about VMs"
			} else if os.Geteuid() != 0 {
				t.skip = "needs root for a network namespace"
			} else if _, err := exec.LookPath(l.daemon); err != nil {
				t.skip = "no " + l.daemon + " in PATH"
			}
			tasks = append(tasks, t)
		}
	}
	return tasks, nil
}

// makeSpace makes the namespace: its end of the tap, and an address behind it.
func makeSpace(space string) error {
	for _, line := range []string{
		"netns add " + space,
		"-n " + space + " link set lo up",
		"-n " + space + " addr add 10.78.0.1/32 dev lo",
		"-n " + space + " addr add 2001:db8:9::1/128 dev lo",
		"-n " + space + " tuntap add dev tap0 mode tap",
		"-n " + space + " addr add 10.77.0.1/24 dev tap0",
		"-n " + space + " addr add fd00:b::1/64 dev tap0 nodad",
		"-n " + space + " link set tap0 up",
		// A host that does not forward is no router to radvd.
		"netns exec " + space + " sh -c echo\t1\t>/proc/sys/net/ipv6/conf/all/forwarding",
	} {
		words := strings.Fields(line)
		if at := strings.Index(line, "sh -c "); at >= 0 {
			words = append(strings.Fields(line[:at+5]), strings.ReplaceAll(line[at+6:], "\t", " "))
		}
		if output, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %v: %s", line, err, output)
		}
	}
	return nil
}

// inSpace makes a command run in the namespace, in a process group of its own.
func inSpace(space string, cmd *exec.Cmd) *exec.Cmd {
	inside := exec.Command("ip", append([]string{"netns", "exec", space}, cmd.Args...)...)
	inside.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return inside
}

// extra arguments: what the host's clock says.
func (l lan) extra() []string {
	if l.time {
		return []string{fmt.Sprint(time.Now().Unix())}
	}
	return nil
}

func (l lan) run(opts options, platform machine.Platform, space, path string) string {
	dir, err := os.MkdirTemp("", "burrow-lan")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	defer exec.Command("ip", "netns", "del", space).Run()
	if err := makeSpace(space); err != nil {
		return err.Error()
	}
	// Whatever user the daemon becomes.
	os.Chmod(dir, 0o777)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(l.config), 0o644); err != nil {
		return err.Error()
	}
	words := make([]string, len(l.command))
	for i, word := range l.command {
		words[i] = strings.ReplaceAll(word, "{dir}", dir)
	}
	daemon := inSpace(space, exec.Command(words[0], words[1:]...))
	var said bytes.Buffer
	daemon.Stdout, daemon.Stderr = &said, &said
	if err := daemon.Start(); err != nil {
		return err.Error()
	}
	if l.time {
		server := inSpace(space, exec.Command(path, "serve-time"))
		if err := server.Start(); err != nil {
			return err.Error()
		}
		defer machine.Wait(server, 0)
	}
	time.Sleep(200 * time.Millisecond)
	flags := append([]string{"--net", "eth0=tap:tap0"}, l.flags...)
	cmd := inSpace(space, machine.Command(platform, opts.root, machine.Program{Path: path, Args: append(append([]string(nil), l.args...), l.extra()...), Flags: flags}))
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	err = cmd.Start()
	if err == nil {
		var timedOut bool
		if timedOut, err = machine.Wait(cmd, 2*networkLimit); timedOut {
			err = fmt.Errorf("not finished after %s", 2*networkLimit)
		}
	}
	syscall.Kill(-daemon.Process.Pid, syscall.SIGTERM)
	machine.Wait(daemon, networkLimit)
	for _, want := range l.want {
		if err == nil && !regexp.MustCompile(want).Match(printed.Bytes()) {
			err = fmt.Errorf("no match for %s", want)
		}
	}
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v\nprinted: %s\n%s: %s\ncommand: %s", err, printed.String(), l.daemon, tail(said.Bytes(), 20), machine.Shell(cmd))
}
