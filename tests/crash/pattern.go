package crash

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand"
)

// What the raw workload (tests/disk/power) writes: each worker has slots of its own and fills
// them in turn, a generation each; a generation is acknowledged, in the worker's sector of the
// second disk, when it was flushed.
const (
	Workers     = 3
	Slots       = 16
	SlotBytes   = 12 << 10
	SectorBytes = 512
)

// SlotOffset is where a worker's generation lies.
func SlotOffset(worker int, generation uint64) int64 {
	return int64(worker*Slots+int(generation%Slots)) * SlotBytes
}

// Pattern is the contents of a generation.
func Pattern(worker int, generation uint64) []byte {
	data := make([]byte, SlotBytes)
	rand.New(rand.NewSource(int64(generation)<<8 + int64(worker))).Read(data)
	binary.LittleEndian.PutUint64(data, generation)
	binary.LittleEndian.PutUint32(data[8:], crc32.ChecksumIEEE(data[12:]))
	return data
}
