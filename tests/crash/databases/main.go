// The databases of the crash tests: each transaction k of a load stores a few keys that k says,
// commits them durably and then acknowledges k in /dev/marks. A check opens the database as it
// was left, has it check itself, and looks for every transaction up to the acknowledged one.
//
//	databases load NAME DIRECTORY TRANSACTIONS
//	databases check NAME DIRECTORY ACKNOWLEDGED
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// A store is a database with the operations of the test. keep is durable when it returns.
type store interface {
	keep(transaction uint64, pairs []pair) error
	get(key []byte) ([]byte, error)
	last() (uint64, error) // the last transaction that is there
	verify() error
	close() error
}

type pair struct{ key, value []byte }

var stores = map[string]func(directory string) (store, error){
	"bbolt":  openBolt,
	"pebble": openPebble,
	"sqlite": openSQLite,
	"badger": openBadger,
}

const (
	pairsEach = 4
	sector    = 512
	kept      = 400 // a transaction's keys are used again by the one this much later
)

// pairsOf says what a transaction stores.
func pairsOf(transaction uint64) []pair {
	random := rand.New(rand.NewSource(int64(transaction)))
	pairs := make([]pair, pairsEach)
	for i := range pairs {
		value := make([]byte, 24+random.Intn(700))
		random.Read(value)
		binary.BigEndian.PutUint64(value, transaction)
		pairs[i] = pair{[]byte(fmt.Sprintf("key-%06d-%d", transaction%kept, i)), value}
	}
	return pairs
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "databases:", err)
		os.Exit(1)
	}
}

func acknowledge(marks *os.File, transaction uint64) error {
	var room [2 * sector]byte
	buffer := room[-int(uintptr(unsafe.Pointer(&room[0])))&(sector-1):][:sector]
	binary.LittleEndian.PutUint64(buffer, transaction)
	_, err := marks.WriteAt(buffer, 0)
	return err
}

func load(s store, transactions uint64) error {
	path := os.Getenv("MARKS") // to try it without a VM
	if path == "" {
		path = "/dev/marks"
	}
	marks, err := os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT, 0)
	if err != nil {
		return err
	}
	for k := uint64(1); k <= transactions; k++ {
		if err := s.keep(k, pairsOf(k)); err != nil {
			return fmt.Errorf("transaction %d: %w", k, err)
		}
		if err := acknowledge(marks, k); err != nil {
			return fmt.Errorf("acknowledging: %w", err)
		}
	}
	return s.close()
}

func check(s store, acknowledged uint64) error {
	if err := s.verify(); err != nil {
		return fmt.Errorf("its own check: %w", err)
	}
	last, err := s.last()
	if err != nil {
		return fmt.Errorf("the last transaction: %w", err)
	}
	// One more may have been committed than was acknowledged.
	if last < acknowledged || last > acknowledged+1 {
		return fmt.Errorf("ends with transaction %d, %d were acknowledged", last, acknowledged)
	}
	for k := last; k > 0 && k+kept > last; k-- {
		for _, p := range pairsOf(k) {
			value, err := s.get(p.key)
			if err != nil {
				return fmt.Errorf("%s of transaction %d: %w", p.key, k, err)
			}
			if !bytes.Equal(value, p.value) {
				return fmt.Errorf("%s of transaction %d has other contents", p.key, k)
			}
		}
	}
	return s.close()
}

func main() {
	if len(os.Args) != 5 || stores[os.Args[2]] == nil {
		fail(fmt.Errorf("usage: databases load|check bbolt|pebble|sqlite|badger DIRECTORY NUMBER"))
	}
	number, err := strconv.ParseUint(os.Args[4], 10, 64)
	fail(err)
	s, err := stores[os.Args[2]](os.Args[3])
	if err != nil && os.Args[1] == "check" && number == 0 {
		// Nothing was acknowledged: the power went before there was a database.
		fmt.Println("ok")
		return
	}
	fail(err)
	if os.Args[1] == "load" {
		fail(load(s, number))
	} else {
		fail(check(s, number))
	}
	fmt.Println("ok")
}
