package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

var modfile struct {
	sync.Once
	path string
	err  error
}

// GoCommand prepares a `go` command for static test programs, in tests/. The
// module says go 1.19 so that an old toolchain builds the harness; test programs
// are built with a copy of go.mod that names the toolchain's own version, which
// gives them that version's runtime defaults (GODEBUG).
func GoCommand(root string, args ...string) *exec.Cmd {
	modfile.Do(func() { modfile.path, modfile.err = writeModfile(root) })
	if modfile.err == nil && len(args) > 0 && args[0] == "build" {
		args = append([]string{"build", "-modfile=" + modfile.path}, args[1:]...)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(root, "tests")
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

func writeModfile(root string) (string, error) {
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
	minor := strings.TrimRight(parts[1], "abcdefghijklmnopqrstuvwxyz-+ ")
	path := filepath.Join(root, "build", "tests", "go.mod")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	text := "module burrow/tests\n\ngo " + parts[0] + "." + minor + "\n"
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return path, nil
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}
