package main

import (
	"encoding/binary"
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

type boltStore struct{ db *bolt.DB }

var bucket = []byte("data")

func openBolt(directory string) (store, error) {
	db, err := bolt.Open(filepath.Join(directory, "bolt.db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	return &boltStore{db}, nil
}

func (s *boltStore) keep(transaction uint64, pairs []pair) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if err := b.Put(p.key, p.value); err != nil {
				return err
			}
		}
		return b.Put([]byte("last"), binary.BigEndian.AppendUint64(nil, transaction))
	})
}

func (s *boltStore) get(key []byte) (value []byte, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(bucket); b != nil {
			value = append(value, b.Get(key)...)
		}
		return nil
	})
	return value, err
}

func (s *boltStore) last() (uint64, error) {
	value, err := s.get([]byte("last"))
	if err != nil || len(value) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *boltStore) verify() error {
	return s.db.View(func(tx *bolt.Tx) error {
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = fmt.Errorf("bbolt: %w", err)
			}
		}
		return first
	})
}

func (s *boltStore) close() error { return s.db.Close() }
