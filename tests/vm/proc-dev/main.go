// What programs read below /proc, /dev and /sys.
package main

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"burrow/tests/check"
)

func read(path string) string {
	content, err := os.ReadFile(path)
	check.NoError(path, err)
	return string(content)
}

func has(path string, parts ...string) {
	content := read(path)
	for _, part := range parts {
		check.That(strings.Contains(content, part), "%s lacks %q:\n%s", path, part, content)
	}
}

func devices() {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check.NoError("/dev/null", err)
	n, err := null.Write(make([]byte, 100))
	check.That(n == 100 && err == nil, "writing /dev/null: %d, %v", n, err)
	n, err = null.Read(make([]byte, 10))
	check.That(n == 0 && err == io.EOF, "reading /dev/null: %d, %v", n, err)
	info, err := null.Stat()
	check.NoError("fstat /dev/null", err)
	check.That(info.Mode()&os.ModeCharDevice != 0, "mode of /dev/null is %v", info.Mode())

	zero, err := os.Open("/dev/zero")
	check.NoError("/dev/zero", err)
	buffer := bytes.Repeat([]byte{1}, 100)
	n, err = io.ReadFull(zero, buffer)
	check.That(n == 100 && err == nil && bytes.Equal(buffer, make([]byte, 100)), "/dev/zero: %d, %v", n, err)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	check.NoError("/dev/full", err)
	_, err = full.Write([]byte("x"))
	check.That(err != nil && strings.Contains(err.Error(), "no space"), "writing /dev/full: %v", err)
	for _, name := range []string{"/dev/random", "/dev/urandom"} {
		random, err := os.Open(name)
		check.NoError(name, err)
		n, err = io.ReadFull(random, buffer)
		check.That(n == 100 && err == nil && !bytes.Equal(buffer, make([]byte, 100)), "%s: %d, %v", name, n, err)
	}
	for i, name := range []string{"/dev/stdin", "/dev/stdout", "/dev/stderr"} {
		target, err := os.Readlink(name)
		check.NoError(name, err)
		check.Equal(name, target, "/proc/self/fd/"+strconv.Itoa(i))
	}
	target, err := os.Readlink("/dev/fd")
	check.NoError("/dev/fd", err)
	check.Equal("/dev/fd", target, "/proc/self/fd")
}

func self() {
	name := read("/proc/self/cmdline")
	check.That(strings.HasSuffix(name, "proc-dev\x00one\x00two words\x00"), "cmdline is %q", name)
	has("/proc/self/environ", "TEST_ENVIRON=yes\x00")
	pid := strconv.Itoa(os.Getpid())
	target, err := os.Readlink("/proc/self")
	check.NoError("/proc/self", err)
	check.Equal("/proc/self", target, pid)
	stat := read("/proc/self/stat")
	check.That(strings.HasPrefix(stat, pid+" (proc-dev) ") && len(strings.Fields(stat)) == 52, "stat is %q", stat)
	has("/proc/self/status", "Name:\tproc-dev\n", "Pid:\t"+pid+"\n", "Threads:\t", "VmRSS:\t")
	check.That(len(strings.Fields(read("/proc/self/statm"))) == 7, "statm")
	maps := read("/proc/self/maps")
	for _, part := range []string{"r-xp", "rw-p", "[stack]", "[vdso]"} {
		check.That(strings.Contains(maps, part), "maps lacks %q:\n%s", part, maps)
	}
	check.That(!strings.Contains(maps, "rwx"), "writable and executable memory:\n%s", maps)
	has("/proc/self/comm", "proc-dev\n")
	exe, err := os.Executable()
	check.NoError("os.Executable", err)
	program, err := os.ReadFile("/proc/self/exe")
	check.NoError("/proc/self/exe", err)
	check.That(len(program) > 100000 && string(program[:4]) == "\x7fELF", "/proc/self/exe (%s) has %d bytes", exe, len(program))
	check.NoError("Chdir", os.Chdir(os.TempDir()))
	directory, err := os.Getwd()
	check.NoError("Getwd", err)
	target, err = os.Readlink("/proc/self/cwd")
	check.NoError("/proc/self/cwd", err)
	check.Equal("/proc/self/cwd", target, directory)
	tasks, err := os.ReadDir("/proc/self/task")
	check.NoError("/proc/self/task", err)
	check.That(len(tasks) >= 2, "%d tasks", len(tasks))

	file, err := os.CreateTemp("", "fd")
	check.NoError("CreateTemp", err)
	defer os.Remove(file.Name())
	target, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
	check.NoError("/proc/self/fd", err)
	check.Equal("link of the descriptor", target, file.Name())
	_, err = os.Readlink("/proc/self/fd/987")
	check.That(os.IsNotExist(err), "descriptor 987: %v", err)
}

func machine() {
	has("/proc/meminfo", "MemTotal:", "MemFree:", "MemAvailable:", " kB\n")
	check.Equal("processors", strings.Count(read("/proc/cpuinfo"), "processor\t"), runtime.NumCPU())
	has("/proc/stat", "cpu ", "cpu0 ", "btime ")
	has("/proc/version", "Linux version ")
	check.That(len(strings.Fields(read("/proc/uptime"))) == 2, "uptime")
	check.That(len(strings.Fields(read("/proc/loadavg"))) == 5, "loadavg")
	somaxconn, err := strconv.Atoi(strings.TrimSpace(read("/proc/sys/net/core/somaxconn")))
	check.That(err == nil && somaxconn > 0, "somaxconn: %v", err)
	has("/proc/sys/kernel/osrelease", ".")
	hugepage := strings.TrimSpace(read("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"))
	check.Equal("hpage_pmd_size", hugepage, "2097152")
}

func refusals() {
	err := os.WriteFile("/proc/meminfo", []byte("x"), 0)
	check.That(err != nil, "writing /proc/meminfo succeeds")
	_, err = os.Open("/proc/nothing")
	check.That(os.IsNotExist(err), "/proc/nothing: %v", err)
	err = os.Mkdir("/proc/new", 0o700)
	check.That(err != nil, "mkdir in /proc succeeds")
	err = os.Remove("/proc/self/stat")
	check.That(err != nil, "removing below /proc succeeds")
	_, err = os.ReadDir("/proc/self/stat")
	check.That(err != nil, "reading a file as a directory succeeds")
	var fs syscall.Statfs_t
	check.NoError("statfs /proc", syscall.Statfs("/proc", &fs))
	check.Equal("type of /proc", fs.Type, int64(0x9fa0))
}

func main() {
	devices()
	self()
	machine()
	refusals()
	check.OK()
}
