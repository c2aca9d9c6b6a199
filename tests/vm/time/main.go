// Sleeps, timers and tickers keep to the clock, the clock to the host's.
package main

import (
	"os"
	"strconv"
	"time"

	"burrow/tests/check"
)

func sleeps() {
	for _, want := range []time.Duration{0, 50 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 120 * time.Millisecond} {
		best := time.Hour
		for i := 0; i < 10 && want < 100*time.Millisecond || i < 1; i++ {
			start := time.Now()
			time.Sleep(want)
			took := time.Since(start)
			check.That(took >= want, "Sleep(%v) took %v", want, took)
			if took < best {
				best = took
			}
		}
		check.That(best < want+30*time.Millisecond, "Sleep(%v) took at best %v", want, best)
	}
}

func tickers() {
	ticker := time.NewTicker(5 * time.Millisecond)
	start := time.Now()
	for i := 0; i < 40; i++ {
		<-ticker.C
	}
	took := time.Since(start)
	ticker.Stop()
	check.That(took >= 195*time.Millisecond && took < time.Second, "40 ticks of 5 ms took %v", took)
	select {
	case <-ticker.C:
		check.Fail("a stopped ticker ticks")
	case <-time.After(20 * time.Millisecond):
	}
}

// early: no timer fires before its time, and all of them fire.
func early() {
	start := time.Now()
	late := make(chan time.Duration, 20)
	for i := 19; i >= 0; i-- {
		want := time.Duration(20+3*i) * time.Millisecond
		time.AfterFunc(want, func() { late <- time.Since(start) - want })
	}
	for i := 0; i < 20; i++ {
		got := <-late
		check.That(got >= 0 && got < time.Second, "a timer fired %v after its time", got)
	}
	timer := time.AfterFunc(10*time.Millisecond, func() { check.Fail("a stopped timer fires") })
	check.That(timer.Stop(), "Stop says that the timer had fired")
	time.Sleep(30 * time.Millisecond)
}

func wallClock() {
	host, err := strconv.ParseInt(os.Args[1], 10, 64)
	check.NoError("host time", err)
	drift := time.Now().Unix() - host
	// {now} is taken before the start; a boot under emulation takes its time
	check.That(drift >= -2 && drift <= 12, "the wall clock is %d s from the host's", drift)
	start := time.Now()
	wall := start.Round(0)
	time.Sleep(100 * time.Millisecond)
	steady, real := time.Since(start), time.Now().Round(0).Sub(wall)
	check.That(steady-real < 20*time.Millisecond && real-steady < 20*time.Millisecond, "clocks drift: %v and %v", steady, real)
}

func main() {
	wallClock()
	sleeps()
	tickers()
	early()
	check.OK()
}
