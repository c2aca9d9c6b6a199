package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// example is a server under examples/: started on a platform with its port forwarded from
// the loopback interface, asked by a client on the host, and ended by SIGTERM.
type example struct {
	name  string
	tcp   bool
	udp   bool
	needs string // a client program; without it the test is skipped
	check func(address string) error
	// Or, in place of check: the example is its own client, called with -ask ADDRESS and these.
	ask  []string
	want string
}

var examples = []example{
	{name: "web", tcp: true, check: checkWeb},
	{name: "echo", tcp: true, udp: true, check: checkEcho},
	{name: "proxy", tcp: true, check: checkProxy},
	{name: "tls", tcp: true, check: checkTLS},
	{name: "memcached", tcp: true, udp: true, check: checkMemcached},
	{name: "dns", tcp: true, udp: true, needs: "dig", check: checkDNS},
	{name: "ssh", tcp: true, needs: "ssh", check: checkSSH},
	{name: "websocket", tcp: true, ask: []string{"hello", "again"}, want: "HELLO\nAGAIN\n"},
	{name: "grpc", tcp: true, want: "SERVING\n"},
}

const networkLimit = 20 * time.Second

// runNetwork builds the examples and asks each on every platform.
func runNetwork(opts options, report *report) error {
	bin := programDir(opts, "network")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	var tasks []task
	for _, e := range examples {
		e := e
		path := filepath.Join(bin, e.name)
		build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
		build.Dir, build.Env = filepath.Join(opts.root, "examples", e.name), machine.GoEnvironment()
		output, err := build.CombinedOutput()
		for _, platform := range opts.platforms {
			platform := platform
			t := task{name: taskName("network", e.name, "default", platform), alone: true}
			if err != nil {
				t.skip = "examples/" + e.name + " does not build here: " + firstLine(output)
			} else if _, missing := exec.LookPath(e.needs); e.needs != "" && missing != nil {
				t.skip = "no " + e.needs + " in PATH"
			}
			if _, missing := exec.LookPath("passt"); missing != nil && t.skip == "" {
				t.skip = "no passt in PATH"
			}
			t.run = func() string { return runExample(opts, platform, path, e) }
			tasks = append(tasks, t)
		}
	}
	more, err := lanTasks(opts)
	if err != nil {
		return err
	}
	tasks = append(tasks, more...)
	runTasks(opts, report, tasks)
	return nil
}

// runExample returns "" or a diagnosis.
func runExample(opts options, platform machine.Platform, path string, e example) string {
	port, err := freePort()
	if err != nil {
		return err.Error()
	}
	text := strconv.Itoa(port)
	spec := machine.Program{Path: path, Args: []string{"-addr", ":" + text}}
	if e.tcp {
		spec.Flags = append(spec.Flags, "-p", "127.0.0.1:"+text+":"+text)
	}
	if e.udp {
		spec.Flags = append(spec.Flags, "-p", "127.0.0.1:"+text+":"+text+"/udp")
	}
	cmd := machine.Command(platform, opts.root, spec)
	return serve(cmd, "listening on", 128+int(syscall.SIGTERM), func() error { return e.asked(path, "127.0.0.1:"+text) })
}

// serve starts a server, waits until it prints `ready`, has it asked, and ends it by
// SIGTERM, after which its status must be `status`. "" or a diagnosis.
func serve(cmd *exec.Cmd, ready string, status int, ask func() error) string {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err.Error()
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	writer.Close()
	said, printed := make(chan bool, 1), make(chan string, 1)
	go func() {
		var all strings.Builder
		lines := bufio.NewReader(reader)
		for waiting := true; ; {
			line, err := lines.ReadString('\n')
			all.WriteString(line)
			if waiting && (err != nil || strings.Contains(line, ready)) {
				waiting = false
				said <- err == nil || strings.Contains(line, ready)
			}
			if err != nil {
				break
			}
		}
		printed <- all.String()
	}()
	err = fmt.Errorf("did not print %q", ready)
	select {
	case ok := <-said:
		if ok {
			err = ask()
		}
	case <-time.After(networkLimit):
	}
	syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
	timedOut, waitErr := machine.Wait(cmd, networkLimit)
	output := <-printed
	reader.Close()
	if err == nil && waitErr != nil {
		err = waitErr
	}
	if got := machine.Status(cmd); err == nil && (timedOut || got != status) {
		err = fmt.Errorf("SIGTERM: timed out %v, status %d, expected %d", timedOut, got, status)
	}
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v\nprinted: %s\ncommand: %s", err, tail([]byte(output), 20), machine.Shell(cmd))
}

// asked checks what the server at an address answers.
func (e example) asked(path, address string) error {
	if e.check != nil {
		return e.check(address)
	}
	output, err := exec.Command(path, append([]string{"-ask", address}, e.ask...)...).CombinedOutput()
	if err == nil && string(output) != e.want {
		err = fmt.Errorf("expected %q", e.want)
	}
	if err != nil {
		return fmt.Errorf("the client printed %q: %w", output, err)
	}
	return nil
}

// freePort finds a port that is free for TCP and UDP on the loopback interface.
func freePort() (int, error) {
	for i := 0; i < 20; i++ {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := listener.Addr().(*net.TCPAddr).Port
		socket, err := net.ListenPacket("udp", listener.Addr().String())
		listener.Close()
		if err == nil {
			socket.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port")
}

func dial(network, address string) (net.Conn, error) {
	connection, err := net.DialTimeout(network, address, networkLimit)
	if err == nil {
		err = connection.SetDeadline(time.Now().Add(networkLimit))
	}
	return connection, err
}

// exchange sends and expects the same bytes back.
func exchange(connection net.Conn, bytesOut []byte) error {
	failed := make(chan error, 1)
	go func() {
		_, err := connection.Write(bytesOut)
		failed <- err
	}()
	back := make([]byte, len(bytesOut))
	if _, err := io.ReadFull(connection, back); err != nil {
		return err
	}
	if err := <-failed; err != nil {
		return err
	}
	if !bytes.Equal(back, bytesOut) {
		return fmt.Errorf("echo of %d bytes differs", len(bytesOut))
	}
	return nil
}

func checkEcho(address string) error {
	pattern := make([]byte, 4<<20)
	for i := range pattern {
		pattern[i] = byte(i ^ i>>8 ^ i>>16)
	}
	for i := 0; i < 20; i++ {
		connection, err := dial("tcp", address)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		size := 1 << i
		if size > len(pattern) {
			size = len(pattern)
		}
		err = exchange(connection, pattern[:size])
		connection.Close()
		if err != nil {
			return fmt.Errorf("TCP, %d bytes: %w", size, err)
		}
	}
	datagrams, err := dial("udp", address)
	if err != nil {
		return err
	}
	defer datagrams.Close()
	for _, size := range []int{1, 64, 1400, 8000} {
		if err := exchange(datagrams, pattern[:size]); err != nil {
			return fmt.Errorf("UDP, %d bytes: %w", size, err)
		}
	}
	return nil
}

func get(client *http.Client, url string) (string, http.Header, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), response.Header, err
}

func checkProxy(address string) error {
	client := &http.Client{Timeout: networkLimit}
	for i := 1; i <= 20; i++ {
		body, header, err := get(client, "http://"+address+"/some/path")
		if err != nil {
			return err
		}
		name := []string{"one", "two"}[i%2]
		if want := "back end " + name + " served /some/path\n"; body != want || header.Get("X-Request") != strconv.Itoa(i) {
			return fmt.Errorf("request %d: got %q, X-Request %s, expected %q", i, body, header.Get("X-Request"), want)
		}
	}
	return nil
}

func checkTLS(address string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	body, _, err := get(&http.Client{Timeout: networkLimit, Transport: transport}, "https://"+address+"/")
	if err == nil && body != "HTTP/2.0 over TLS 1.3\n" {
		err = fmt.Errorf("got %q", body)
	}
	return err
}

// checkMemcached speaks both transports; libmemcached's own tools are tried where they are.
func checkMemcached(address string) error {
	connection, err := dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	fmt.Fprintf(connection, "set greeting 7 0 5\r\nhello\r\nget greeting missing\r\nquit\r\n")
	answer, err := io.ReadAll(connection)
	if want := "STORED\r\nVALUE greeting 7 5\r\nhello\r\nEND\r\n"; err != nil || string(answer) != want {
		return fmt.Errorf("TCP: got %q, %v", answer, err)
	}
	datagrams, err := dial("udp", address)
	if err != nil {
		return err
	}
	defer datagrams.Close()
	request := append(binary.BigEndian.AppendUint64(nil, 0x1234<<48|1<<16), "get greeting\r\n"...)
	if _, err := datagrams.Write(request); err != nil {
		return err
	}
	reply := make([]byte, 1500)
	n, err := datagrams.Read(reply)
	if err != nil || n < 8 || string(reply[8:n]) != "VALUE greeting 7 5\r\nhello\r\nEND\r\n" {
		return fmt.Errorf("UDP: got %q, %v", reply[:n], err)
	}
	host, port, _ := net.SplitHostPort(address)
	if tool, err := exec.LookPath("memccat"); err == nil {
		output, err := exec.Command(tool, "--servers="+host+":"+port, "greeting").CombinedOutput()
		if err != nil || strings.TrimSpace(string(output)) != "hello" {
			return fmt.Errorf("memccat: %q, %v", output, err)
		}
	}
	return nil
}

func checkDNS(address string) error {
	host, port, _ := net.SplitHostPort(address)
	for _, flags := range [][]string{{"+notcp"}, {"+tcp"}} {
		for name, want := range map[string]string{"www.burrow.test": "192.0.2.2", "none.burrow.test": ""} {
			words := append([]string{"@" + host, "-p", port, "+short", "+time=5", name}, flags...)
			output, err := exec.Command("dig", words...).CombinedOutput()
			if err != nil || strings.TrimSpace(string(output)) != want {
				return fmt.Errorf("dig %s: %q, %v; expected %q", strings.Join(words, " "), output, err, want)
			}
		}
	}
	return nil
}

// checkSSH logs in with the real client, which takes the password from a helper program.
func checkSSH(address string) error {
	host, port, _ := net.SplitHostPort(address)
	directory, err := os.MkdirTemp("", "burrow-ssh")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	ask := filepath.Join(directory, "password")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho burrow\n"), 0o700); err != nil {
		return err
	}
	cmd := exec.Command("ssh", "-F", "none", "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "PreferredAuthentications=password", "-o", "ConnectTimeout=10", "guest@"+host, "whoami")
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=none")
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "hello guest: linux/amd64") {
		return fmt.Errorf("ssh: %v: %s", err, output)
	}
	return nil
}

// checkWeb gets the page, and its figures twice.
func checkWeb(address string) error {
	client := http.Client{Timeout: networkLimit}
	get := func(path string) (string, error) {
		response, err := client.Get("http://" + address + path)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, response.Status)
		}
		return string(body), err
	}
	page, err := get("/")
	if err != nil {
		return err
	}
	if !strings.Contains(page, "<svg") || !strings.Contains(page, `fetch("/stats"`) {
		return fmt.Errorf("the page lacks its chart")
	}
	var requests [2]float64
	for i := range requests {
		var figures map[string]any
		text, err := get("/stats")
		if err == nil {
			err = json.Unmarshal([]byte(text), &figures)
		}
		if err != nil {
			return err
		}
		requests[i], _ = figures["requests"].(float64)
	}
	if requests[0] != 2 || requests[1] != 3 {
		return fmt.Errorf("/stats counts %v requests, expected 2 and 3", requests)
	}
	return nil
}
