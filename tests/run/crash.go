package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"time"

	"burrow/tests/crash"
	"burrow/tests/machine"
)

const (
	crashLimit    = 5 * time.Minute
	powerBytes    = 1 << 20
	powerCuts     = 2000
	powerCutsLong = 20000
)

// runCrash has VMs whose power is cut: by replaying what reached their disks up to any point,
// and by killing the monitor. Nothing that was acknowledged may be lost.
func runCrash(opts options, report *report) error {
	programs, err := buildSuite(opts, "disk", report)
	if err != nil {
		return err
	}
	var tasks []task
	for _, p := range programs {
		p := p
		if p.test == "power" && containsPlatform(opts.platforms, machine.KVM) {
			tasks = append(tasks,
				task{name: taskName("crash", "raw", "cuts", machine.KVM), run: func() string {
					return withDirectory(func(dir string) string { return cutRaw(opts, p.path, dir) })
				}},
				task{name: taskName("crash", "raw", "kill", machine.KVM), run: func() string {
					return withDirectory(func(dir string) string { return killRaw(opts, p.path, dir) })
				}})
		}
	}
	if containsPlatform(opts.platforms, machine.KVM) {
		tasks = append(tasks, databaseTasks(opts)...)
	}
	runTasks(opts, report, tasks)
	return nil
}

// powerRun is the raw workload.
func powerRun(dir, generations string) diskRun {
	return diskRun{flags: []string{"--disk", "data={}/power", "--disk", "marks={}/marks", "--disk-log", "{}/log"},
		args: []string{generations}, stdout: "ok\n"}
}

func makePowerDisks(dir string) error {
	if err := sparseFile(filepath.Join(dir, "power"), powerBytes); err != nil {
		return err
	}
	return sparseFile(filepath.Join(dir, "marks"), 64<<10)
}

func seeded() (*rand.Rand, int64) {
	seed := time.Now().UnixNano()
	return rand.New(rand.NewSource(seed)), seed
}

// cutPoints are numbers of records in ascending order.
func cutPoints(random *rand.Rand, records, count int) []int {
	points := make([]int, count)
	for i := range points {
		points[i] = random.Intn(records + 1)
	}
	sort.Ints(points)
	return points
}

// cutRaw runs the raw workload once and checks the disk after power cuts everywhere.
func cutRaw(opts options, program, dir string) string {
	if err := makePowerDisks(dir); err != nil {
		return err.Error()
	}
	if wrong := powerRun(dir, "150").on(opts, machine.KVM, program, dir); wrong != "" {
		return wrong
	}
	records, err := crash.ReadLog(filepath.Join(dir, "log"))
	if err != nil {
		return err.Error()
	}
	random, seed := seeded()
	count := powerCuts
	if opts.long {
		count = powerCutsLong
	}
	replay := crash.NewReplay(records, make([]byte, powerBytes))
	image := make([]byte, powerBytes)
	pending := 0
	for i, point := range cutPoints(random, len(records), count) {
		replay.To(point)
		pending += replay.Pending()
		replay.Cut(image, i%crash.Ways, random)
		if wrong := checkRaw(image, replay.Acknowledged, false); wrong != "" {
			return fmt.Sprintf("cut %d, before record %d of %d, seed %d: %s", i, point, len(records), seed, wrong)
		}
	}
	replay.To(len(records))
	replay.Cut(image, crash.LoseAll, random)
	if wrong := checkRaw(image, replay.Acknowledged, true); wrong != "" {
		return "at the end: " + wrong
	}
	if pending == 0 {
		return "no cut had anything to lose"
	}
	return ""
}

// checkRaw looks for every generation that was acknowledged and not overwritten since; the next
// one may be under way.
func checkRaw(image []byte, acknowledged map[int]uint64, isComplete bool) string {
	for worker := 0; worker < crash.Workers; worker++ {
		last := acknowledged[worker]
		if isComplete && last == 0 {
			return fmt.Sprintf("worker %d acknowledged nothing", worker)
		}
		for generation := last; generation > 0 && generation+crash.Slots > last+1; generation-- {
			at := crash.SlotOffset(worker, generation)
			if !bytes.Equal(image[at:at+crash.SlotBytes], crash.Pattern(worker, generation)) {
				return fmt.Sprintf("worker %d: generation %d of %d is lost", worker, generation, last)
			}
		}
	}
	return ""
}

// killRaw kills the monitor at random times. What the host had when it was killed stays.
func killRaw(opts options, program, dir string) string {
	rounds := 5
	if opts.long {
		rounds = 100
	}
	random, seed := seeded()
	for round := 0; round < rounds; round++ {
		if err := makePowerDisks(dir); err != nil {
			return err.Error()
		}
		cmd := powerRun(dir, "1000000").command(opts, machine.KVM, program, dir)
		if err := cmd.Start(); err != nil {
			return err.Error()
		}
		time.Sleep(time.Duration(50+random.Intn(400)) * time.Millisecond)
		machine.End(cmd)
		cmd.Wait()
		image, err := os.ReadFile(filepath.Join(dir, "power"))
		if err != nil {
			return err.Error()
		}
		marks, err := os.ReadFile(filepath.Join(dir, "marks"))
		if err != nil {
			return err.Error()
		}
		if wrong := checkRaw(image, marked(marks), false); wrong != "" {
			return fmt.Sprintf("round %d, seed %d: %s", round, seed, wrong)
		}
	}
	return ""
}

// marked is what the disk of marks says.
func marked(image []byte) map[int]uint64 {
	replay := crash.NewReplay([]crash.Record{{Kind: crash.Write, Disk: 1, Bytes: int64(len(image)), Data: image}}, nil)
	replay.To(1)
	return replay.Acknowledged
}
