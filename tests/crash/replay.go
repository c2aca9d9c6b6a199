// Package crash replays what a VM wrote to its disks (burrow run --disk-log) up to any point, as
// if the power had been cut there: what was flushed is on the disk; of the rest, each write may
// be there, not be there, or be there in part.
package crash

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
)

// Kinds of records, as in monitor/block_log.h.
const (
	Write      = 1
	Zeroes     = 2
	Discard    = 3
	FlushTaken = 4
	FlushDone  = 5

	magic       = 0x676f4c42
	recordBytes = 24
)

// A Record is something that reached a disk. Of flushes, Offset is the number that the two
// records of one have in common.
type Record struct {
	Kind, Disk    uint8
	Offset, Bytes int64
	Data          []byte
}

// ReadLog reads all records; one that is cut off at the end, of a monitor that was killed, is
// left out.
func ReadLog(path string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader := bufio.NewReaderSize(f, 1<<20)
	var records []Record
	for {
		var head [recordBytes]byte
		if _, err := io.ReadFull(reader, head[:]); err != nil {
			return records, nil
		}
		if binary.LittleEndian.Uint32(head[:]) != magic {
			return nil, fmt.Errorf("%s: record %d has no magic number", path, len(records))
		}
		r := Record{Kind: head[4], Disk: head[5], Offset: int64(binary.LittleEndian.Uint64(head[8:])),
			Bytes: int64(binary.LittleEndian.Uint64(head[16:]))}
		if r.Kind == Write {
			r.Data = make([]byte, r.Bytes)
			if _, err := io.ReadFull(reader, r.Data); err != nil {
				return records, nil
			}
		}
		records = append(records, r)
	}
}

// A Replay goes through a log. Disk 0 is replayed; sectors of disk 1 tell what was acknowledged.
type Replay struct {
	Acknowledged map[int]uint64 // by sector of disk 1

	records []Record
	next    int
	durable []byte
	pending []int // records of writes that no flush has covered
	taken   map[int64]int
}

// NewReplay begins with an image of the disk before the log.
func NewReplay(records []Record, image []byte) *Replay {
	return &Replay{records: records, durable: image, taken: map[int64]int{}, Acknowledged: map[int]uint64{}}
}

// To replays up to the record of this number, which is not before the last.
func (p *Replay) To(end int) {
	for ; p.next < end && p.next < len(p.records); p.next++ {
		p.step(p.next, p.records[p.next])
	}
}

func (p *Replay) step(number int, r Record) {
	if r.Disk != 0 {
		if r.Kind == Write {
			for at := int64(0); at+SectorBytes <= r.Bytes; at += SectorBytes {
				p.Acknowledged[int((r.Offset+at)/SectorBytes)] = binary.LittleEndian.Uint64(r.Data[at:])
			}
		}
		return
	}
	switch r.Kind {
	case Write, Zeroes, Discard:
		p.pending = append(p.pending, number)
	case FlushTaken:
		p.taken[r.Offset] = number
	case FlushDone:
		kept := p.pending[:0]
		for _, write := range p.pending {
			if write < p.taken[r.Offset] {
				apply(p.durable, p.records[write])
			} else {
				kept = append(kept, write)
			}
		}
		p.pending = kept
	}
}

func apply(image []byte, r Record) {
	part := image[r.Offset : r.Offset+r.Bytes]
	if r.Kind == Write {
		copy(part, r.Data)
		return
	}
	for i := range part {
		part[i] = 0
	}
}

// Ways to lose what was not flushed.
const (
	LoseAll = iota
	LoseNone
	LoseSome
	LoseSectors
	Ways
)

// Cut gives the disk after a power cut here, in `image`, which is as large.
func (p *Replay) Cut(image []byte, way int, random *rand.Rand) {
	copy(image, p.durable)
	for _, number := range p.pending {
		r := p.records[number]
		switch way {
		case LoseNone:
			apply(image, r)
		case LoseSome:
			if random.Intn(2) == 0 {
				apply(image, r)
			}
		case LoseSectors:
			for at := int64(0); at < r.Bytes; at += SectorBytes {
				if random.Intn(2) == 0 {
					sector := Record{Kind: r.Kind, Offset: r.Offset + at, Bytes: SectorBytes}
					if r.Kind == Write {
						sector.Data = r.Data[at : at+SectorBytes]
					}
					apply(image, sector)
				}
			}
		}
	}
}

// Pending is how many writes no flush has covered here.
func (p *Replay) Pending() int {
	return len(p.pending)
}
