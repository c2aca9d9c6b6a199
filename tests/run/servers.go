package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"burrow/tests/machine"
)

// A realServer comes from the module proxy, unmodified, and is asked by real clients on the
// host through a forwarded port.
type realServer struct {
	name, module string
	client       string // a program of the module proxy; "": none
	needs        string // a program of the host; "": none
	ready        string // what it prints when it listens
	status       int    // after SIGTERM
	udp          bool
	// prepare fills a directory and gives the arguments, and flags of `burrow run`.
	prepare func(dir, port string) (args, flags []string, err error)
	check   func(address, client string) error
}

const natsVersion = "v1.37.0"

var realServers = []realServer{
	{name: "caddy", module: "github.com/caddyserver/caddy/v2/cmd/caddy@v2.8.4", ready: "certificate obtained successfully", prepare: prepareCaddy, check: checkCaddy},
	{name: "godoc", module: "golang.org/x/tools/cmd/godoc@v0.20.0", ready: "using", status: 128 + int(syscall.SIGTERM), prepare: prepareGodoc, check: checkGodoc},
	{name: "nats-server", module: "github.com/nats-io/nats-server/v2@v2.10.22", client: "github.com/nats-io/nats.go/examples/nats-bench@" + natsVersion,
		ready: "Server is ready", status: 1, prepare: prepareNATS, check: checkNATS},
	{name: "coredns", module: "github.com/coredns/coredns@v1.11.3", needs: "dig", ready: "CoreDNS-", udp: true, prepare: prepareCoreDNS, check: checkCoreDNS},
}

// serverTasks builds what can be had.
func serverTasks(opts options, report *report, bin string) []task {
	var tasks []task
	for _, s := range realServers {
		name := "programs/" + s.name
		if opts.filter != nil && !opts.filter.MatchString(taskName("programs", s.name, "default", machine.KVM)) &&
			!opts.filter.MatchString(taskName("programs", s.name, "default", machine.QEMU)) {
			continue
		}
		client := ""
		why := install(s.module, bin, s.name)
		if s.client != "" && why == "" {
			client = filepath.Join(bin, filepath.Base(strings.SplitN(s.client, "@", 2)[0]))
			why = install(s.client, bin, filepath.Base(client))
		}
		if _, err := exec.LookPath(s.needs); why == "" && s.needs != "" && err != nil {
			why = "no " + s.needs + " in PATH"
		}
		if why != "" {
			report.skip(name, why)
			continue
		}
		for _, platform := range opts.platforms {
			s, platform := s, platform
			tasks = append(tasks, task{
				name:  taskName("programs", s.name, "default", platform),
				alone: true,
				run:   func() string { return s.run(opts, platform, filepath.Join(bin, s.name), client) },
			})
		}
	}
	return tasks
}

// run returns "" or a diagnosis.
func (s realServer) run(opts options, platform machine.Platform, path, client string) string {
	dir, err := os.MkdirTemp("", "burrow-server")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	number, err := freePort()
	if err != nil {
		return err.Error()
	}
	port := strconv.Itoa(number)
	address := "127.0.0.1:" + port
	args, flags, err := s.prepare(dir, port)
	if err != nil {
		return err.Error()
	}
	flags = append(flags, "--mem", "1G", "-p", address+":"+port)
	if s.udp {
		flags = append(flags, "-p", address+":"+port+"/udp")
	}
	cmd := machine.Command(platform, opts.root, machine.Program{Path: path, Args: args, Flags: flags})
	return serve(cmd, s.ready, s.status, func() error { return s.check(address, client) })
}

// ---- Caddy: static files over HTTP/2 and TLS ----

const caddyFile = `{
	skip_install_trust
	admin off
}
localhost:%s {
	tls internal
	root * /srv/site
	file_server
}
`

func caddyContent() []byte {
	content := make([]byte, 1<<20)
	for i := range content {
		content[i] = byte(i>>16 ^ i>>8 ^ i)
	}
	return content
}

func prepareCaddy(dir, port string) (args, flags []string, err error) {
	site := filepath.Join(dir, "site")
	if err = os.Mkdir(site, 0o755); err != nil {
		return
	}
	for name, content := range map[string][]byte{
		"site/index.html": []byte("<h1>served by Caddy</h1>\n"),
		"site/large":      caddyContent(),
		"Caddyfile":       []byte(fmt.Sprintf(caddyFile, port)),
	} {
		if err = os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return
		}
	}
	return []string{"run", "--config", "/srv/Caddyfile", "--adapter", "caddyfile"}, []string{"--add", dir + ":/srv"}, nil
}

func checkCaddy(address, _ string) error {
	_, port, _ := net.SplitHostPort(address)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: networkLimit, Transport: transport}
	url := "https://localhost:" + port
	response, err := client.Get(url + "/")
	for end := time.Now().Add(networkLimit); err != nil && time.Now().Before(end); response, err = client.Get(url + "/") {
		time.Sleep(100 * time.Millisecond) // the certificate is not in use yet
	}
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.Proto != "HTTP/2.0" || !strings.Contains(string(body), "served by Caddy") {
		return fmt.Errorf("/: %s, %q, %v", response.Proto, body, err)
	}
	failed := make(chan error)
	for i := 0; i < 4; i++ { // streams of one connection
		go func() {
			large, _, err := get(client, url+"/large")
			if err == nil && !bytes.Equal([]byte(large), caddyContent()) {
				err = fmt.Errorf("/large: %d bytes, not what was put there", len(large))
			}
			failed <- err
		}()
	}
	for i := 0; i < 4; i++ {
		if one := <-failed; err == nil {
			err = one
		}
	}
	if curl, missing := exec.LookPath("curl"); err == nil && missing == nil {
		output, failure := exec.Command(curl, "-sk", "--http2", "--max-time", "10", "-w", "%{http_version}", url+"/").CombinedOutput()
		if failure != nil || !strings.HasSuffix(string(output), "Caddy</h1>\n2") {
			err = fmt.Errorf("curl --http2: %q, %v", output, failure)
		}
	}
	return err
}

// ---- godoc, of a part of the distribution ----

func prepareGodoc(dir, port string) (args, flags []string, err error) {
	source := filepath.Join(runtime.GOROOT(), "src", "net")
	if output, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
		source = filepath.Join(strings.TrimSpace(string(output)), "src", "net")
	}
	source, err = filepath.EvalSymlinks(source)
	return []string{"-http=:" + port, "-goroot=/goroot"}, []string{"--add", source + ":/goroot/src/net"}, err
}

// checkGodoc asks again for a while: godoc does not say when it listens, and reads its tree later.
func checkGodoc(address, _ string) (err error) {
	client := &http.Client{Timeout: networkLimit}
	for path, want := range map[string]string{"/pkg/net/http/": "Package http provides HTTP client and server", "/src/net/dial.go": "package net"} {
		for end := time.Now().Add(networkLimit); ; time.Sleep(100 * time.Millisecond) {
			var body string
			body, _, err = get(client, "http://"+address+path)
			if err == nil && !strings.Contains(body, want) {
				err = fmt.Errorf("%d bytes without %q", len(body), want)
			}
			if err == nil {
				break
			} else if time.Now().After(end) {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// ---- NATS, under the load of its own client ----

func prepareNATS(dir, port string) (args, flags []string, err error) {
	return []string{"-a", "0.0.0.0", "-p", port}, nil, nil
}

func checkNATS(address, client string) error {
	output, err := exec.Command(client, "-s", "nats://"+address, "-np", "4", "-ns", "4", "-n", "20000", "-ms", "256", "subject").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "Sub stats:") {
		return fmt.Errorf("nats-bench: %v: %s", err, tail(output, 20))
	}
	return nil
}

// ---- CoreDNS, asked by dig ----

func prepareCoreDNS(dir, port string) (args, flags []string, err error) {
	zone := fmt.Sprintf(".:%s {\n\thosts {\n\t\t192.0.2.7 host.burrow.test\n\t\t2001:db8::7 host.burrow.test\n\t}\n}\n", port)
	err = os.WriteFile(filepath.Join(dir, "Corefile"), []byte(zone), 0o644)
	return []string{"-conf", "/etc/coredns/Corefile"}, []string{"--add", dir + ":/etc/coredns"}, err
}

func checkCoreDNS(address, _ string) error {
	host, port, _ := net.SplitHostPort(address)
	for _, c := range [][3]string{{"A", "+notcp", "192.0.2.7"}, {"AAAA", "+notcp", "2001:db8::7"}, {"A", "+tcp", "192.0.2.7"}} {
		words := []string{"@" + host, "-p", port, "+short", "+time=5", c[1]}
		for i := 0; i < 50; i++ {
			words = append(words, "host.burrow.test", c[0])
		}
		output, err := exec.Command("dig", words...).CombinedOutput()
		if want := strings.Repeat(c[2]+"\n", 50); err != nil || string(output) != want {
			return fmt.Errorf("dig %s %s: %v: %s", c[0], c[1], err, tail(output, 5))
		}
	}
	return nil
}
