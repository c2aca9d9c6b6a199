package main

import (
	"encoding/binary"
	"path/filepath"

	badger "github.com/dgraph-io/badger/v4"
)

type badgerStore struct{ db *badger.DB }

func openBadger(directory string) (store, error) {
	options := badger.DefaultOptions(filepath.Join(directory, "badger")).WithSyncWrites(true).
		WithLogger(nil).WithMemTableSize(1 << 20).WithValueLogFileSize(2 << 20).
		WithBlockCacheSize(1 << 20).WithIndexCacheSize(1 << 20).WithNumCompactors(2).
		WithNumMemtables(2).WithValueThreshold(512)
	db, err := badger.Open(options)
	if err != nil {
		return nil, err
	}
	return &badgerStore{db}, nil
}

func (s *badgerStore) keep(transaction uint64, pairs []pair) error {
	return s.db.Update(func(tx *badger.Txn) error {
		for _, p := range pairs {
			if err := tx.Set(p.key, p.value); err != nil {
				return err
			}
		}
		return tx.Set([]byte("last"), binary.BigEndian.AppendUint64(nil, transaction))
	})
}

func (s *badgerStore) get(key []byte) (value []byte, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if err == badger.ErrKeyNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	return value, err
}

func (s *badgerStore) last() (uint64, error) {
	value, err := s.get([]byte("last"))
	if err != nil || len(value) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *badgerStore) verify() error { return s.db.VerifyChecksum() }

func (s *badgerStore) close() error { return s.db.Close() }
