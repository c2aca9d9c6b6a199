package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"burrow/tests/crash"
	"burrow/tests/machine"
)

// databaseNames are those of tests/crash/databases.
var databaseNames = []string{"bbolt", "pebble", "sqlite", "badger"}

const (
	volumeSize        = "64M"
	volumeLoad        = "400" // transactions
	volumeCuts        = 12    // of each database
	volumeCutsLong    = 300
	volumeKills       = 2
	volumeKillsLong   = 25
	volumeKillForever = "1000000"
)

// A volumeTest is a database on an ext4 volume.
type volumeTest struct {
	opts          options
	program, name string // the program, and which database
	dir           string
	tools         map[string]string
}

// databaseTasks: each database under power cuts and kills.
func databaseTasks(opts options) (tasks []task) {
	program, why := buildDatabases(opts)
	tools := map[string]string{}
	for _, tool := range []string{"e2fsck", "mke2fs"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			path = filepath.Join("/usr/sbin", tool)
			if _, err := os.Stat(path); err != nil && why == "" {
				why = "no " + tool + "; apt-get install e2fsprogs"
			}
		}
		tools[tool] = path
	}
	for _, name := range databaseNames {
		test := volumeTest{opts: opts, program: program, name: name, tools: tools}
		for kind, run := range map[string]func(volumeTest) string{"cuts": volumeTest.cuts, "kill": volumeTest.kills} {
			run := run
			tasks = append(tasks, task{name: taskName("crash", name, kind, machine.KVM), skip: why, run: func() string {
				return inMemory(func(dir string) string {
					mine := test
					mine.dir = dir
					return run(mine)
				})
			}})
		}
	}
	return tasks
}

// buildDatabases returns the program, or why there is none: its modules come from the module proxy.
func buildDatabases(opts options) (program, why string) {
	program = filepath.Join(programDir(opts, "crash"), "databases")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err.Error()
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
	build.Dir, build.Env = filepath.Join(opts.root, "tests", "crash", "databases"), machine.GoEnvironment()
	if output, err := build.CombinedOutput(); err != nil {
		return "", "tests/crash/databases does not build here: " + firstLine(output)
	}
	return program, ""
}

// inMemory is withDirectory on a file system in memory, where there is one: images are many.
func inMemory(test func(dir string) string) string {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "burrow-crash-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	return test(dir)
}

func (t volumeTest) path(name string) string { return filepath.Join(t.dir, name) }

// create makes an empty volume and a disk of marks.
func (t volumeTest) create() string {
	os.Remove(t.path("volume"))
	command := exec.Command(machine.Burrow(t.opts.root), "volume", "create", t.path("volume"), volumeSize)
	if output, err := command.CombinedOutput(); err != nil {
		return string(output)
	}
	if err := sparseFile(t.path("marks"), 4096); err != nil {
		return err.Error()
	}
	return ""
}

// run is the program in a VM with the volume.
func (t volumeTest) run(what, number string, log bool) diskRun {
	r := diskRun{flags: []string{"--disk", "data={}/volume:/data", "--disk", "marks={}/marks"},
		args: []string{what, t.name, "/data", number}, stdout: "ok\n"}
	if log {
		r.flags = append(r.flags, "--disk-log", "{}/log")
	}
	return r
}

func (t volumeTest) on(r diskRun) string {
	return r.on(t.opts, machine.KVM, t.program, t.dir)
}

// fsck checks the volume as it is. With replay, it replays the journal first, and must find
// nothing else to do.
func (t volumeTest) fsck(replay bool) string {
	if replay {
		output, err := exec.Command(t.tools["e2fsck"], "-y", "-E", "journal_only", t.path("volume")).CombinedOutput()
		if err != nil && !isStatus(err, 1) {
			return "e2fsck cannot replay the journal: " + string(output)
		}
	}
	output, err := exec.Command(t.tools["e2fsck"], "-f", "-n", t.path("volume")).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("e2fsck -fn: %v\n%.2000s", err, output)
	}
	return ""
}

func isStatus(err error, status int) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.ExitCode() == status
}

// judge looks at the volume as a power cut or a kill left it: on odd turns e2fsck replays the
// journal, on even ones the kernel in the VM, and e2fsck looks at what it made.
func (t volumeTest) judge(turn int, acknowledged uint64) string {
	check := t.run("check", strconv.FormatUint(acknowledged, 10), false)
	check.tells = true // that the journal was replayed
	if turn%2 == 1 {
		if wrong := t.fsck(true); wrong != "" {
			return wrong
		}
	}
	if wrong := t.on(check); wrong != "" {
		return wrong
	}
	return t.fsck(false)
}

// cuts runs one load and cuts the power at many points of it.
func (t volumeTest) cuts() string {
	if wrong := t.create(); wrong != "" {
		return wrong
	}
	before, err := os.ReadFile(t.path("volume"))
	if err != nil {
		return err.Error()
	}
	if wrong := t.on(t.run("load", volumeLoad, true)); wrong != "" {
		return wrong
	}
	if wrong := t.judge(0, 400); wrong != "" {
		return "after an ordinary end: " + wrong
	}
	records, err := crash.ReadLog(t.path("log"))
	if err != nil {
		return err.Error()
	}
	random, seed := seeded()
	count := volumeCuts
	if t.opts.long {
		count = volumeCutsLong
	}
	replay := crash.NewReplay(records, before)
	image := make([]byte, len(before))
	for i, point := range cutPoints(random, len(records), count) {
		replay.To(point)
		if wrong := t.cut(replay, image, i, random); wrong != "" {
			kept := keepImage(t.name, image)
			return fmt.Sprintf("cut %d, before record %d of %d, way %d, seed %d, %d acknowledged, image kept in %s: %s",
				i, point, len(records), i%crash.Ways, seed, replay.Acknowledged[0], kept, wrong)
		}
	}
	return ""
}

func (t volumeTest) cut(replay *crash.Replay, image []byte, turn int, random *rand.Rand) string {
	replay.Cut(image, turn%crash.Ways, random)
	if err := writeSparse(t.path("volume"), image); err != nil {
		return err.Error()
	}
	return t.judge(turn/crash.Ways, replay.Acknowledged[0])
}

// keepImage saves the image of a cut that lost something, to be looked at.
func keepImage(name string, image []byte) string {
	path := filepath.Join(os.TempDir(), "burrow-lost-"+name+".img")
	if err := writeSparse(path, image); err != nil {
		return err.Error()
	}
	return path
}

// writeSparse leaves out what is zero.
func writeSparse(path string, image []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(len(image))); err != nil {
		return err
	}
	const piece = 64 << 10
	zeroes := make([]byte, piece)
	for at := 0; at < len(image); at += piece {
		end := at + piece
		if end > len(image) {
			end = len(image)
		}
		if bytes.Equal(image[at:end], zeroes[:end-at]) {
			continue
		}
		if _, err := f.WriteAt(image[at:end], int64(at)); err != nil {
			return err
		}
	}
	return nil
}

// kills ends the monitor at random times of a load.
func (t volumeTest) kills() string {
	rounds := volumeKills
	if t.opts.long {
		rounds = volumeKillsLong
	}
	random, seed := seeded()
	for round := 0; round < rounds; round++ {
		if wrong := t.create(); wrong != "" {
			return wrong
		}
		cmd := t.run("load", volumeKillForever, false).command(t.opts, machine.KVM, t.program, t.dir)
		if err := cmd.Start(); err != nil {
			return err.Error()
		}
		time.Sleep(time.Duration(200+random.Intn(800)) * time.Millisecond)
		machine.End(cmd)
		cmd.Wait()
		marks, err := os.ReadFile(t.path("marks"))
		if err != nil {
			return err.Error()
		}
		if wrong := t.judge(round, marked(marks)[0]); wrong != "" {
			return fmt.Sprintf("round %d, seed %d: %s", round, seed, wrong)
		}
	}
	return ""
}
