package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"

	"burrow/tests/check"
)

const (
	stressSeconds = 4
	stressNames   = 200
	stressBytes   = 60000
)

// stress: sixteen goroutines with a directory each do anything to files of a volume that is
// nearly full most of the time, and find what they wrote.
func stress() {
	end := time.Now().Add(stressSeconds * time.Second)
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		s := stresser{dir: path(fmt.Sprintf("stress%d", i)), random: rand.New(rand.NewSource(int64(i))), files: map[string][]byte{}}
		go func() {
			defer all.Done()
			check.NoError("mkdir", os.Mkdir(s.dir, 0o755))
			for time.Now().Before(end) {
				s.step()
			}
			for name := range s.files {
				s.compare(name)
			}
		}()
	}
	all.Wait()
}

type stresser struct {
	dir    string
	random *rand.Rand
	files  map[string][]byte // by path
}

func (s *stresser) name() string { return fmt.Sprintf("%s/%d", s.dir, s.random.Intn(stressNames)) }

func (s *stresser) step() {
	name := s.name()
	data, exists := s.files[name]
	switch s.random.Intn(8) {
	case 0, 1, 2:
		s.write(name)
	case 3:
		if exists {
			s.compare(name)
		}
	case 4:
		os.Remove(name)
		delete(s.files, name)
	case 5:
		to := s.name()
		if exists && to != name && os.Rename(name, to) == nil {
			s.files[to] = data
			delete(s.files, name)
		}
	case 6:
		if f, err := os.OpenFile(name, os.O_RDWR, 0); err == nil {
			check.NoError("fsync", f.Sync())
			f.Close()
		}
	case 7:
		if len(data) > 0 {
			size := s.random.Intn(len(data))
			check.NoError("truncate", os.Truncate(name, int64(size)))
			s.files[name] = data[:size:size]
		}
	}
}

// write may find no space: then the file goes.
func (s *stresser) write(name string) {
	data := make([]byte, s.random.Intn(stressBytes))
	s.random.Read(data)
	if os.WriteFile(name, data, 0o644) == nil {
		s.files[name] = data
		return
	}
	os.Remove(name)
	delete(s.files, name)
}

func (s *stresser) compare(name string) {
	got, err := os.ReadFile(name)
	check.NoError("read "+name, err)
	if !bytes.Equal(got, s.files[name]) {
		check.Fail("%s: %d bytes are not the %d that were written", name, len(got), len(s.files[name]))
	}
}
