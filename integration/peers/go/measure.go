package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// What came of one measurement.
type sample struct {
	// Wall and processor time of all threads, the collector's included.
	wall, cpu time.Duration
	// By how many operations they are divided.
	operations int
	// Whether the results added up.
	correct bool
	// More figures, as NAME=VALUE.
	more []string
}

func (s sample) print(workload string, n, threads int) {
	each := func(total time.Duration) float64 { return float64(total) / float64(s.operations) }
	check := "check=wrong"
	if s.correct {
		check = "check=ok"
	}
	fields := strings.Join(append(s.more, check), " ")
	fmt.Printf("%s go %d %d %.2f cpu=%.2f %s\n", workload, n, threads, each(s.wall), each(s.cpu), fields)
}

// Measures from its making on.
type watch struct {
	wall time.Time
	cpu  time.Duration
}

func start() watch {
	cpu := processorTime()
	return watch{time.Now(), cpu}
}

func (w watch) stop(operations int, correct bool) sample {
	wall := time.Since(w.wall)
	return sample{wall: wall, cpu: processorTime() - w.cpu, operations: operations, correct: correct}
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Resident memory of this process, in bytes.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}

// Numbers that look random, the same in every program (splitmix64).
func scramble(number uint64) uint64 {
	z := number + 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
