package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

var modfiles struct {
	sync.Mutex
	paths map[string]string // module directory → its copy of go.mod
}

// GoCommand prepares a `go` command for static test programs, in one of the
// project's modules (tests, bench). They say go 1.19 so that an old toolchain builds
// the harness; programs are built with a copy of go.mod that names the toolchain's
// own version, which gives them that version's runtime defaults (GODEBUG).
func GoCommand(root, module string, args ...string) *exec.Cmd {
	modfiles.Lock()
	defer modfiles.Unlock()
	path := modfiles.paths[module]
	if path == "" {
		var err error
		if path, err = writeModfile(root, module); err == nil {
			if modfiles.paths == nil {
				modfiles.paths = map[string]string{}
			}
			modfiles.paths[module] = path
		}
	}
	if path != "" && len(args) > 0 && args[0] == "build" {
		args = append([]string{"build", "-modfile=" + path}, args[1:]...)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(root, module)
	cmd.Env = GoEnvironment()
	return cmd
}

// GoEnvironment is the host's environment with everything fixed that changes a build.
func GoEnvironment() []string {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOWORK=off")
	if os.Getenv("GOTOOLCHAIN") == "" {
		env = append(env, "GOTOOLCHAIN=local")
	}
	return env
}

func writeModfile(root, module string) (string, error) {
	cmd := exec.Command("go", "env", "GOVERSION")
	cmd.Env = GoEnvironment()
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %v", err)
	}
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(string(output)), "go"), ".", 3)
	if len(parts) < 2 {
		return "", fmt.Errorf("go version %q is not understood", output)
	}
	digits := strings.IndexFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(parts[1])
	}
	content, err := os.ReadFile(filepath.Join(root, module, "go.mod"))
	if err != nil {
		return "", err
	}
	text := goLine.ReplaceAllString(string(content), "go "+parts[0]+"."+parts[1][:digits])
	path := filepath.Join(root, "build", "modules", module, "go.mod")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return path, nil
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}

var goLine = regexp.MustCompile(`(?m)^go [0-9.]+$`)
