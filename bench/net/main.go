// Measures the network: each row against the same server as a plain process and in a VM, in
// turn, in the same run; medians and ratios.
//
//	net [-platform kvm|qemu] [-rounds N] [-seconds N] [-cpus N] [-rows REGEXP] [-json FILE]
//
// The client lives in one network namespace, the server in another: joined by a veth pair for
// the process, by a veth pair, a bridge and a tap for the VM; and both by a second link that
// loses and delays (relay.go). Needs root, ip, curl and wrk.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

const (
	clientSpace   = "burrow-client"
	nativeSpace   = "burrow-native"
	vmSpace       = "burrow-vm"
	nativeAddress = "10.77.1.2"
	vmAddress     = "10.77.2.2"
	// over the link that loses and delays
	nativeLossyAddress = "10.78.1.2"
	vmLossyAddress     = "10.78.2.2"
)

type options struct {
	root, programs string
	platform       machine.Platform
	rounds         int
	seconds, cpus  string
}

// row is one line of the table: a load, the figure it gives, and what ratio is wanted.
type row struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	AtLeast float64   `json:"atLeast"` // of native; for latencies: at most
	Less    bool      `json:"lessIsBetter,omitempty"`
	Native  []float64 `json:"native"`
	VM      []float64 `json:"vm"`
	Error   string    `json:"error,omitempty"`

	load  func(o options, host string) (float64, error)
	lossy bool // over the link with 1 % loss and 40 ms delay
}

func main() {
	platform := flag.String("platform", "kvm", "kvm or qemu")
	rounds := flag.Int("rounds", 3, "how often each row is measured")
	seconds := flag.Int("seconds", 5, "how long each measurement takes")
	cpus := flag.Int("cpus", 2, "vcpus, and processors of the native process")
	names := flag.String("rows", "", "only rows whose name matches")
	jsonPath := flag.String("json", "", "also write the results to this file")
	flag.Parse()
	root, err := machine.Root()
	exitOn(err)
	wanted, err := regexp.Compile(*names)
	exitOn(err)
	o := options{root: root, programs: filepath.Join(root, "build", "bench"), platform: machine.Platform(*platform),
		rounds: *rounds, seconds: strconv.Itoa(*seconds), cpus: strconv.Itoa(*cpus)}
	if why := machine.Unusable(o.platform, root); why != "" {
		exitOn(fmt.Errorf("platform %s: %s", o.platform, why))
	}
	for _, tool := range []string{"ip", "curl", "wrk"} {
		if _, err := exec.LookPath(tool); err != nil {
			exitOn(fmt.Errorf("%s is missing: apt-get install iproute2 curl wrk", tool))
		}
	}
	exitOn(os.MkdirAll(o.programs, 0o755))
	build := machine.GoCommand(root, "bench", "build", "-buildvcs=false", "-o", o.programs+"/", "./programs/...")
	if output, err := build.CombinedOutput(); err != nil {
		exitOn(fmt.Errorf("programs do not build: %v\n%s", err, output))
	}
	missed := run(o, wanted, *jsonPath)
	fmt.Printf("\n%d rows miss what they should reach\n", missed)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-net:", err)
		os.Exit(2)
	}
}

// run builds the namespaces, starts both servers and measures.
func run(o options, wanted *regexp.Regexp, jsonPath string) int {
	removeSpaces()
	defer removeSpaces()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		removeSpaces()
		os.Exit(130)
	}()
	exitOn(makeSpaces())
	for _, platform := range []machine.Platform{machine.Native, o.platform} {
		server, err := startServer(o, platform)
		if err != nil {
			removeSpaces()
			exitOn(err)
		}
		defer stop(server)
	}

	rows := table()
	missed := 0
	fmt.Printf("| what | native | VM | ratio | wanted |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		if !wanted.MatchString(r.Name) {
			continue
		}
		measure(o, r)
		if !r.print() {
			missed++
		}
	}
	if jsonPath != "" {
		content, err := json.MarshalIndent(rows, "", " ")
		exitOn(err)
		exitOn(os.WriteFile(jsonPath, append(content, '\n'), 0o644))
	}
	return missed
}

// ---- namespaces ----

func command(words ...string) error {
	output, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %v: %s", strings.Join(words, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

func removeSpaces() {
	for _, space := range []string{clientSpace, nativeSpace, vmSpace} {
		exec.Command("ip", "netns", "del", space).Run() // it may not be there
	}
}

func makeSpaces() error {
	script := []string{
		"ip netns add " + clientSpace,
		"ip netns add " + nativeSpace,
		"ip netns add " + vmSpace,
		"ip -n " + clientSpace + " link add to-native type veth peer name eth0 netns " + nativeSpace,
		"ip -n " + clientSpace + " link add to-vm type veth peer name uplink netns " + vmSpace,
		"ip -n " + clientSpace + " addr add 10.77.1.1/24 dev to-native",
		"ip -n " + clientSpace + " addr add 10.77.2.1/24 dev to-vm",
		"ip -n " + nativeSpace + " addr add " + nativeAddress + "/24 dev eth0",
		"ip -n " + vmSpace + " link add bridge0 type bridge",
		"ip -n " + vmSpace + " tuntap add dev tap0 mode tap vnet_hdr",
		"ip -n " + vmSpace + " link set uplink master bridge0",
		"ip -n " + vmSpace + " link set tap0 master bridge0",
		"ip -n " + clientSpace + " link set lo up",
		"ip -n " + clientSpace + " link set to-native up",
		"ip -n " + clientSpace + " link set to-vm up",
		"ip -n " + nativeSpace + " link set lo up",
		"ip -n " + nativeSpace + " link set eth0 up",
		"ip -n " + vmSpace + " link set lo up",
		"ip -n " + vmSpace + " link set uplink up",
		"ip -n " + vmSpace + " link set bridge0 up",
		"ip -n " + vmSpace + " link set tap0 up",
	}
	for _, line := range script {
		if err := command(strings.Fields(line)...); err != nil {
			return err
		}
	}
	return makeLossyLinks()
}

func makeLossyLinks() error {
	if err := join(clientSpace, "lossy-native", nativeSpace, "lossy"); err != nil {
		return err
	}
	if err := join(clientSpace, "lossy-vm", vmSpace, "lossy"); err != nil {
		return err
	}
	script := []string{
		"ip -n " + clientSpace + " addr add 10.78.1.1/24 dev lossy-native",
		"ip -n " + clientSpace + " addr add 10.78.2.1/24 dev lossy-vm",
		"ip -n " + nativeSpace + " addr add " + nativeLossyAddress + "/24 dev lossy",
		"ip -n " + vmSpace + " link set lossy master bridge0",
		"ip -n " + clientSpace + " link set lossy-native up",
		"ip -n " + clientSpace + " link set lossy-vm up",
		"ip -n " + nativeSpace + " link set lossy up",
		"ip -n " + vmSpace + " link set lossy up",
	}
	for _, line := range script {
		if err := command(strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

// ---- servers ----

func startServer(o options, platform machine.Platform) (*exec.Cmd, error) {
	spec := machine.Program{Path: filepath.Join(o.programs, "netserver"), Env: []string{"GOMAXPROCS=" + o.cpus}}
	space, address := nativeSpace, nativeAddress
	if platform != machine.Native {
		spec.Flags = []string{"--cpus", o.cpus, "--mem", "1G", "--net", "tap:tap0", "--ip", vmAddress + "/24,gw=10.77.2.1,ip=" + vmLossyAddress + "/24"}
		space, address = vmSpace, vmAddress
	}
	inside := machine.Command(platform, o.root, spec)
	cmd := exec.Command("ip", append([]string{"netns", "exec", space}, inside.Args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = inside.Dir, inside.Env, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for i := 0; i < 100; i++ {
		time.Sleep(100 * time.Millisecond)
		if _, err := client("curl", "-sf", "-m", "2", "-o", "/dev/null", "http://"+address+":8080/"); err == nil {
			return cmd, nil
		}
	}
	stop(cmd)
	return nil, fmt.Errorf("the server (%s) does not answer at %s", platform, address)
}

func stop(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	machine.Wait(cmd, 5*time.Second)
}

func client(words ...string) (string, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", clientSpace, "timeout", "120"}, words...)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %v: %s", words[0], err, strings.TrimSpace(string(output)))
	}
	return string(output), nil
}

// ---- rows ----

func table() []*row {
	load := func(name, kind, unit string, atLeast float64) *row {
		return &row{Name: name, Unit: unit, AtLeast: atLeast, load: func(o options, host string) (float64, error) {
			return netload(o, kind, host)
		}}
	}
	rows := []*row{
		{Name: "HTTP keep-alive, 32 connections", Unit: "requests/s", AtLeast: 0.8, load: wrkFigure(`Requests/sec:\s+([0-9.]+)`, 1)},
		{Name: "its p99 latency", Unit: "ms", AtLeast: 1.5, Less: true, load: wrkLatency},
		load("HTTP, a connection per request", "connect", "requests/s", 0.8),
		load("HTTPS keep-alive", "tls", "requests/s", 0.9),
		load("TLS 1.3 handshakes", "handshake", "1/s", 0.9),
		load("one TCP stream in", "in", "Mbit/s", 0.7),
		load("one TCP stream out", "out", "Mbit/s", 0.7),
		load("UDP echo of 64 bytes", "udp", "1/s", 0.7),
		load("9,000 idle connections answered", "idle", "", 1),
		load("one TCP stream in, 1 % loss and 40 ms", "in", "Mbit/s", 0.9),
		load("one TCP stream out, 1 % loss and 40 ms", "out", "Mbit/s", 0.9),
	}
	rows[len(rows)-1].lossy, rows[len(rows)-2].lossy = true, true
	return rows
}

func netload(o options, kind, host string) (float64, error) {
	output, err := client(filepath.Join(o.programs, "netload"), kind, host, o.seconds)
	words := strings.Fields(output)
	if err != nil || len(words) != 2 {
		return 0, fmt.Errorf("netload %s: %v %q", kind, err, output)
	}
	return strconv.ParseFloat(words[1], 64)
}

func wrkFigure(pattern string, group int) func(o options, host string) (float64, error) {
	expression := regexp.MustCompile(pattern)
	return func(o options, host string) (float64, error) {
		output, err := client("wrk", "-t1", "-c32", "-d"+o.seconds+"s", "--latency", "http://"+host+":8080/")
		if err != nil {
			return 0, err
		}
		match := expression.FindStringSubmatch(output)
		if match == nil {
			return 0, fmt.Errorf("wrk printed %q", output)
		}
		return strconv.ParseFloat(match[group], 64)
	}
}

// wrkLatency gives the 99th percentile in milliseconds.
func wrkLatency(o options, host string) (float64, error) {
	output, err := client("wrk", "-t1", "-c32", "-d"+o.seconds+"s", "--latency", "http://"+host+":8080/")
	match := regexp.MustCompile(`99%\s+(\S+)`).FindStringSubmatch(output)
	if err != nil || match == nil {
		return 0, fmt.Errorf("wrk: %v %q", err, output)
	}
	latency, err := time.ParseDuration(match[1])
	return float64(latency.Nanoseconds()) / 1e6, err
}

func measure(o options, r *row) {
	addresses := []string{nativeAddress, vmAddress}
	if r.lossy {
		addresses = []string{nativeLossyAddress, vmLossyAddress}
	}
	for i := 0; i < o.rounds; i++ {
		for i, values := range []*[]float64{&r.Native, &r.VM} {
			value, err := r.load(o, addresses[i])
			if err != nil {
				r.Error = err.Error()
				return
			}
			*values = append(*values, value)
		}
	}
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// print writes the row's line; false if it misses what it should reach.
func (r *row) print() bool {
	if r.Error != "" {
		fmt.Printf("| %s | | | | %s |\n", r.Name, strings.ReplaceAll(r.Error, "\n", " "))
		return false
	}
	native, vm := median(r.Native), median(r.VM)
	relation, reached := "≥", vm >= native*r.AtLeast
	if r.Less {
		relation, reached = "≤", vm <= native*r.AtLeast
	}
	note := ""
	if !reached {
		note = " **missed**"
	}
	fmt.Printf("| %s | %.4g %s | %.4g %s | %.2f × | %s %.1f ×%s |\n", r.Name, native, r.Unit, vm, r.Unit, vm/native, relation, r.AtLeast, note)
	return reached
}
