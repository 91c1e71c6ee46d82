package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const batch = 1000

// A goroutine has no handle: a WaitGroup joins all of a batch.
func spawnJoin(n int) sample {
	rounds := (n + batch - 1) / batch
	watch := start()
	for range rounds {
		var group sync.WaitGroup
		group.Add(batch)
		for range batch {
			go group.Done()
		}
		group.Wait()
	}
	return watch.stop(rounds*batch, true)
}

func spawnJoinReady(n int) sample {
	sum := 0
	watch := start()
	for i := 1; i <= n; i++ {
		value := make(chan int, 1)
		go func() { value <- i }()
		sum += <-value
	}
	return watch.stop(n, sum == n*(n+1)/2)
}

func spawnMany(n int) sample {
	watch := start()
	var spawners sync.WaitGroup
	for range 2 {
		spawners.Add(1)
		go func() {
			defer spawners.Done()
			var group sync.WaitGroup
			group.Add(n / 2)
			for range n / 2 {
				go group.Done()
			}
			group.Wait()
		}()
	}
	spawners.Wait()
	return watch.stop(n/2*2, true)
}

func yield(n int) sample {
	each := (n + batch - 1) / batch
	var yields atomic.Int64
	var tasks sync.WaitGroup
	tasks.Add(batch)
	watch := start()
	for range batch {
		go func() {
			for range each {
				runtime.Gosched()
			}
			yields.Add(int64(each))
			tasks.Done()
		}()
	}
	tasks.Wait()
	return watch.stop(each*batch, yields.Load() == int64(each*batch))
}

// The result by way of a WaitGroup; a channel each is slower.
func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	var other int
	var join sync.WaitGroup
	join.Add(1)
	go func() {
		other = fibonacci(n - 1)
		join.Done()
	}()
	own := fibonacci(n - 2)
	join.Wait()
	return own + other
}

func fib(n int) sample {
	watch := start()
	result := fibonacci(n)
	a, b := 0, 1
	for range n {
		a, b = b, a+b
	}
	return watch.stop(2*b-1, result == a)
}
