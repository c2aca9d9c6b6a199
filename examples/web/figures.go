package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// figures is what is known of this machine, and what is counted.
type figures struct {
	place    string
	boot     time.Duration // from the start of the VM to main; 0: no VM
	started  time.Time
	requests uint64
	inFlight int64
}

// stats is the answer to /stats.
type stats struct {
	Place         string  `json:"place"`
	BootMs        float64 `json:"boot_ms"` // 0: not in a VM
	UptimeSeconds float64 `json:"uptime_seconds"`
	Requests      uint64  `json:"requests"`
	InFlight      int64   `json:"in_flight"`
	Goroutines    int     `json:"goroutines"`
	HeapBytes     uint64  `json:"heap_bytes"`
	GoBytes       uint64  `json:"go_bytes"` // from the system
	UsedBytes     uint64  `json:"used_bytes"`
	MemoryBytes   uint64  `json:"memory_bytes"`
	Collections   uint32  `json:"collections"`
	Processors    int     `json:"processors"`
	Kernel        string  `json:"kernel"`
	Go            string  `json:"go"`
	Host          string  `json:"host"`
}

func newFigures() *figures {
	f := &figures{place: "a Linux process", started: time.Now()}
	facts := readFacts("/proc/burrow")
	if facts == nil {
		return f
	}
	f.place = "a VM"
	if platform := facts["platform"]; platform != "" {
		f.place += " on " + platform
	}
	ns, _ := strconv.ParseInt(facts["since_start_ns"], 10, 64)
	f.boot = time.Duration(ns)
	return f
}

func (f *figures) bootText() string {
	if f.boot == 0 {
		return ""
	}
	return fmt.Sprintf(", main reached %v after its start", f.boot.Round(10*time.Microsecond))
}

// count wraps a handler to count its requests.
func (f *figures) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atomic.AddUint64(&f.requests, 1)
		atomic.AddInt64(&f.inFlight, 1)
		defer atomic.AddInt64(&f.inFlight, -1)
		next.ServeHTTP(w, r)
	})
}

func (f *figures) now() stats {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	machine := readFacts("/proc/meminfo")
	total := kibibytes(machine["MemTotal:"])
	host, _ := os.Hostname()
	return stats{
		Place:         f.place,
		BootMs:        float64(f.boot.Microseconds()) / 1000,
		UptimeSeconds: time.Since(f.started).Seconds(),
		Requests:      atomic.LoadUint64(&f.requests),
		InFlight:      atomic.LoadInt64(&f.inFlight),
		Goroutines:    runtime.NumGoroutine(),
		HeapBytes:     memory.HeapAlloc,
		GoBytes:       memory.Sys,
		UsedBytes:     total - kibibytes(machine["MemAvailable:"]),
		MemoryBytes:   total,
		Collections:   memory.NumGC,
		Processors:    runtime.NumCPU(),
		Kernel:        kernel(),
		Go:            runtime.Version(),
		Host:          host,
	}
}

// kibibytes reads "512 kB".
func kibibytes(text string) uint64 {
	number, _, _ := strings.Cut(text, " ")
	value, _ := strconv.ParseUint(number, 10, 64)
	return value << 10
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(release))
}

// readFacts reads lines of a name, blanks and a value; nil if there is no such file.
func readFacts(path string) map[string]string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	facts := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		facts[name] = strings.TrimSpace(value)
	}
	return facts
}
