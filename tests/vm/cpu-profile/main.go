// The CPU profiler takes samples, and they point at the function that works.
package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime/pprof"
	"time"

	"burrow/tests/check"
)

var sink uint64

//go:noinline
func burnCycles(until time.Time) {
	for time.Now().Before(until) {
		for i := uint64(0); i < 100000; i++ {
			sink = sink*31 + i
		}
	}
}

// samples reads the profile's protocol buffer just far enough: field 2 of the
// message holds one sample, whose field 2 holds values (packed or one by one), the
// first the count.
func samples(profile []byte) (total uint64) {
	varint := func(at []byte) (uint64, []byte) {
		var value uint64
		for shift := 0; ; shift += 7 {
			value |= uint64(at[0]&0x7f) << shift
			if at[0] < 0x80 {
				return value, at[1:]
			}
			at = at[1:]
		}
	}
	field := func(at []byte) (number uint64, content, rest []byte) {
		key, at := varint(at)
		if key&7 == 0 {
			_, rest = varint(at)
			return key >> 3, at, rest
		}
		length, at := varint(at)
		return key >> 3, at[:length], at[length:]
	}
	for len(profile) > 0 {
		var number uint64
		var content []byte
		number, content, profile = field(profile)
		for number == 2 && len(content) > 0 {
			var inner uint64
			var values []byte
			inner, values, content = field(content)
			if inner == 2 {
				count, _ := varint(values)
				total += count
				break
			}
		}
	}
	return total
}

func main() {
	var output bytes.Buffer
	check.NoError("StartCPUProfile", pprof.StartCPUProfile(&output))
	burnCycles(time.Now().Add(500 * time.Millisecond))
	pprof.StopCPUProfile()
	reader, err := gzip.NewReader(&output)
	check.NoError("gzip", err)
	profile, err := io.ReadAll(reader)
	check.NoError("profile", err)
	check.That(bytes.Contains(profile, []byte("main.burnCycles")), "the profile does not name main.burnCycles")
	// 100 a second are asked for; on a busy host the machine runs for a part of the time only
	count := samples(profile)
	check.That(count >= 5 && count <= 120, "%d samples in 0.5 s", count)
	check.OK()
}
