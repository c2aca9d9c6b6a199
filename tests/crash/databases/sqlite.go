package main

import (
	"database/sql"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite"
)

type sqliteStore struct{ db *sql.DB }

func openSQLite(directory string) (store, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(directory, "sqlite.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(50)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS data (key BLOB PRIMARY KEY, value BLOB); CREATE TABLE IF NOT EXISTS last (id INTEGER PRIMARY KEY, number INTEGER)")
	if err != nil {
		db.Close()
		return nil, err
	}
	return &sqliteStore{db}, nil
}

func (s *sqliteStore) keep(transaction uint64, pairs []pair) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if _, err := tx.Exec("INSERT OR REPLACE INTO data VALUES (?, ?)", p.key, p.value); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("INSERT OR REPLACE INTO last VALUES (1, ?)", int64(transaction)); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *sqliteStore) get(key []byte) (value []byte, err error) {
	err = s.db.QueryRow("SELECT value FROM data WHERE key = ?", key).Scan(&value)
	if err == sql.ErrNoRows {
		return nil, nil
	}
	return value, err
}

func (s *sqliteStore) last() (uint64, error) {
	var number int64
	err := s.db.QueryRow("SELECT number FROM last WHERE id = 1").Scan(&number)
	if err == sql.ErrNoRows {
		return 0, nil
	}
	return uint64(number), err
}

func (s *sqliteStore) verify() error {
	var result string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("sqlite: %s", result)
	}
	return nil
}

func (s *sqliteStore) close() error { return s.db.Close() }
