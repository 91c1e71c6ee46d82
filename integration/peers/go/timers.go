package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// 1 ms to 1 h.
func far(i int) time.Duration {
	return time.Duration(1+scramble(uint64(i))%3_600_000) * time.Millisecond
}

// Arms n timers, then stops them. AfterFunc allocates no channel.
func timers(n int) sample {
	armed := make([]*time.Timer, n)
	watch := start()
	for i := range armed {
		armed[i] = time.AfterFunc(far(i), func() {})
	}
	arming := watch.stop(n, true).wall
	stopped := 0
	for _, timer := range armed {
		if timer.Stop() {
			stopped++
		}
	}
	// The first ones may be due before the last one is armed.
	s := watch.stop(n, stopped > n/2)
	s.more = []string{
		fmt.Sprintf("arm=%.2f", float64(arming)/float64(n)),
		fmt.Sprintf("cancel=%.2f", float64(s.wall-arming)/float64(n)),
	}
	return s
}

// n goroutines that sleep up to two seconds each. The figure is the processor time.
func sleeps(n int) sample {
	late := make([]time.Duration, n)
	var tasks sync.WaitGroup
	tasks.Add(n)
	watch := start()
	for i := range n {
		go func() {
			wanted := time.Duration(scramble(uint64(i))%2_000_000) * time.Microsecond
			begin := time.Now()
			time.Sleep(wanted)
			late[i] = time.Since(begin) - wanted
			tasks.Done()
		}()
	}
	tasks.Wait()
	s := watch.stop(n, true)
	slices.Sort(late)
	s.correct = late[0] >= 0
	at := func(share float64) float64 {
		return float64(late[int(float64(n)*share)]) / float64(time.Millisecond)
	}
	s.more = []string{
		fmt.Sprintf("late_p50_ms=%.2f", at(0.5)),
		fmt.Sprintf("late_p99_ms=%.2f", at(0.99)),
	}
	return s
}

// n goroutines that sleep. The figure is the resident memory of each.
func idleSleep(n int) sample {
	var started atomic.Int64
	before := resident()
	watch := start()
	for range n {
		go func() {
			started.Add(1)
			time.Sleep(time.Hour)
		}()
	}
	for started.Load() < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	bytes := float64(resident()-before) / float64(n)
	s := watch.stop(n, true)
	s.more = []string{fmt.Sprintf("bytes=%.2f", bytes)}
	return s
}

func burst(n int) sample {
	var ended atomic.Int64
	before := resident()
	watch := start()
	for range n {
		go func() {
			time.Sleep(4 * time.Second)
			ended.Add(1)
		}()
	}
	peak := float64(resident()-before) / float64(n)
	for ended.Load() < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second)
	bytes := float64(resident()-before) / float64(n)
	s := watch.stop(n, true)
	s.more = []string{fmt.Sprintf("peak_bytes=%.2f", peak), fmt.Sprintf("bytes=%.2f", bytes)}
	return s
}
