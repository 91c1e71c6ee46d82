package main

import (
	"fmt"
	"runtime"
	"sync"
)

const receivers = 8

// Go has no broadcast: a channel for each of the eight.
func broadcast(n int) sample {
	sums := make(chan int, receivers)
	var values [receivers]chan int
	watch := start()
	for i := range values {
		values[i] = make(chan int, capacity)
		go func() {
			sum := 0
			for value := range values[i] {
				sum += value
			}
			sums <- sum
		}()
	}
	go func() {
		for value := 1; value <= n; value++ {
			for _, each := range values {
				each <- value
			}
		}
		for _, each := range values {
			close(each)
		}
	}()
	correct := true
	for range receivers {
		correct = <-sums == n*(n+1)/2 && correct
	}
	return watch.stop(n, correct)
}

// Nor a channel that holds the latest value: a variable under a lock, and a condition.
func watchLatest(n int) sample {
	counts := make(chan int, receivers)
	var lock sync.Mutex
	changed := sync.NewCond(&lock)
	latest := 0
	watch := start()
	for range receivers {
		go func() {
			seen, last := 0, 0
			for last != n {
				lock.Lock()
				for latest == last {
					changed.Wait()
				}
				last = latest
				lock.Unlock()
				seen++
			}
			counts <- seen
		}()
	}
	go func() {
		for value := 1; value <= n; value++ {
			lock.Lock()
			latest = value
			lock.Unlock()
			changed.Broadcast()
			runtime.Gosched()
		}
	}()
	seen := 0
	for range receivers {
		seen += <-counts
	}
	s := watch.stop(n, true)
	s.more = []string{fmt.Sprintf("seen=%.2f", float64(seen)/float64(n))}
	return s
}
