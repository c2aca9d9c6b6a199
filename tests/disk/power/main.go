// The raw workload of the crash tests: workers write generations to /dev/data, flush, and
// acknowledge each in /dev/marks (tests/crash/pattern.go). Ends after so many generations each.
package main

import (
	"encoding/binary"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"burrow/tests/check"
	"burrow/tests/crash"
)

func main() {
	generations, err := strconv.ParseUint(os.Args[1], 10, 64)
	check.NoError("generations", err)
	data, err := os.OpenFile("/dev/data", os.O_RDWR, 0)
	check.NoError("open", err)
	marks, err := os.OpenFile("/dev/marks", os.O_RDWR|syscall.O_DIRECT, 0)
	check.NoError("open", err)
	var workers sync.WaitGroup
	for worker := 0; worker < crash.Workers; worker++ {
		workers.Add(1)
		go func(worker int) {
			defer workers.Done()
			for generation := uint64(1); generation <= generations; generation++ {
				step(data, marks, worker, generation)
			}
		}(worker)
	}
	workers.Wait()
	check.OK()
}

func step(data, marks *os.File, worker int, generation uint64) {
	_, err := data.WriteAt(crash.Pattern(worker, generation), crash.SlotOffset(worker, generation))
	check.NoError("write", err)
	if generation%2 == 0 {
		err = data.Sync()
	} else {
		err = syscall.Fdatasync(int(data.Fd()))
	}
	check.NoError("sync", err)
	var room [2 * crash.SectorBytes]byte
	sector := room[-int(uintptr(unsafe.Pointer(&room[0])))&(crash.SectorBytes-1):][:crash.SectorBytes]
	binary.LittleEndian.PutUint64(sector, generation)
	_, err = marks.WriteAt(sector, int64(worker)*crash.SectorBytes)
	check.NoError("mark", err)
}
