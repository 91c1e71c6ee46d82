package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	capacity = 1024
	lockers  = 64
	permits  = 4
)

// Two channels for one value each and one goroutine a round trip.
func oneshot(n int) sample {
	sum := 0
	watch := start()
	for i := 1; i <= n; i++ {
		question, answer := make(chan int, 1), make(chan int, 1)
		go func() { answer <- <-question }()
		question <- i
		sum += <-answer
	}
	return watch.stop(n, sum == n*(n+1)/2)
}

func pingPong(pairs, roundTrips int) sample {
	sums := make(chan int, pairs)
	watch := start()
	for range pairs {
		ping, pong := make(chan int, 1), make(chan int, 1)
		go func() {
			for value := range ping {
				pong <- value
			}
		}()
		go func() {
			sum := 0
			for i := 1; i <= roundTrips; i++ {
				ping <- i
				sum += <-pong
			}
			close(ping)
			sums <- sum
		}()
	}
	sum := 0
	for range pairs {
		sum += <-sums
	}
	return watch.stop(pairs*roundTrips, sum == pairs*roundTrips*(roundTrips+1)/2)
}

func bounded(n, producers, consumers int) sample {
	sums := make(chan int, consumers)
	watch := start()
	values := make(chan int, capacity)
	var senders sync.WaitGroup
	senders.Add(producers)
	for producer := range producers {
		go func() {
			for value := producer + 1; value <= n; value += producers {
				values <- value
			}
			senders.Done()
		}()
	}
	for range consumers {
		go func() {
			sum := 0
			for value := range values {
				sum += value
			}
			sums <- sum
		}()
	}
	senders.Wait()
	close(values)
	sum := 0
	for range consumers {
		sum += <-sums
	}
	return watch.stop(n, sum == n*(n+1)/2)
}

func mutex(n int) sample {
	each := (n + lockers - 1) / lockers
	counter := 0
	var lock sync.Mutex
	var tasks sync.WaitGroup
	tasks.Add(lockers)
	watch := start()
	for range lockers {
		go func() {
			for range each {
				lock.Lock()
				counter++
				lock.Unlock()
			}
			tasks.Done()
		}()
	}
	tasks.Wait()
	return watch.stop(each*lockers, counter == each*lockers)
}

// n goroutines that each wait for a channel of their own. The figure is the resident memory.
func idleReceive(n int) sample {
	var started atomic.Int64
	before := resident()
	channels := make([]chan int, n)
	watch := start()
	for i := range channels {
		channels[i] = make(chan int, 1)
		go func() {
			started.Add(1)
			<-channels[i]
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

func idleChannel(n int) sample {
	before := resident()
	channels := make([]chan int, n)
	watch := start()
	for i := range channels {
		channels[i] = make(chan int, 16)
	}
	bytes := float64(resident()-before) / float64(n)
	s := watch.stop(n, true)
	s.more = []string{fmt.Sprintf("bytes=%.2f", bytes)}
	runtime.KeepAlive(channels)
	return s
}

// Go has no channels without a bound: one that is never full.
func channelDepth(n int) sample {
	const values = 1_000_000
	channel := make(chan int, n+1)
	for i := range n {
		channel <- i
	}
	correct := true
	watch := start()
	for i := range values {
		channel <- n + i
		correct = <-channel == i && correct
	}
	return watch.stop(values, correct)
}

// A channel of as many places: faster than golang.org/x/sync/semaphore, a list under a mutex.
func semaphore(n int) sample {
	each := (n + lockers - 1) / lockers
	totals := make(chan int, lockers)
	taken := make(chan struct{}, permits)
	watch := start()
	for range lockers {
		go func() {
			for range each {
				taken <- struct{}{}
				runtime.Gosched()
				<-taken
			}
			totals <- each
		}()
	}
	total := 0
	for range lockers {
		total += <-totals
	}
	return watch.stop(each*lockers, total == each*lockers && len(taken) == 0)
}

func notify(n int) sample {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	times := make(chan int)
	watch := start()
	go func() {
		for range n {
			<-ping
			pong <- struct{}{}
		}
	}()
	go func() {
		for range n {
			ping <- struct{}{}
			<-pong
		}
		times <- n
	}()
	correct := <-times == n
	return watch.stop(n, correct)
}
