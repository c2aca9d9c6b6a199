package main

import (
	"encoding/binary"
	"path/filepath"

	"github.com/cockroachdb/pebble"
)

type pebbleStore struct{ db *pebble.DB }

func openPebble(directory string) (store, error) {
	db, err := pebble.Open(filepath.Join(directory, "pebble"), &pebble.Options{MemTableSize: 256 << 10, Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	return &pebbleStore{db}, nil
}

type quiet struct{}

func (quiet) Infof(string, ...interface{})  {}
func (quiet) Errorf(string, ...interface{}) {}
func (quiet) Fatalf(format string, args ...interface{}) {
	pebble.DefaultLogger.Fatalf(format, args...)
}

func (s *pebbleStore) keep(transaction uint64, pairs []pair) error {
	batch := s.db.NewBatch()
	for _, p := range pairs {
		if err := batch.Set(p.key, p.value, nil); err != nil {
			return err
		}
	}
	if err := batch.Set([]byte("last"), binary.BigEndian.AppendUint64(nil, transaction), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

func (s *pebbleStore) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if err == pebble.ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), value...), nil
}

func (s *pebbleStore) last() (uint64, error) {
	value, err := s.get([]byte("last"))
	if err != nil || len(value) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *pebbleStore) verify() error { return s.db.CheckLevels(nil) }

func (s *pebbleStore) close() error { return s.db.Close() }
