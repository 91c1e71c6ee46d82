// The workloads of the race, for Go. ../README.md defines them and the command line.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

var workloads = []struct {
	name string
	run  func(n int) sample
}{
	{"spawn_join", spawnJoin},
	{"spawn_join_ready", spawnJoinReady},
	{"spawn_many", spawnMany},
	{"yield", yield},
	{"fib", fib},
	{"oneshot", oneshot},
	{"ping_pong", func(n int) sample { return pingPong(1000, (n+999)/1000) }},
	{"ping_pong1", func(n int) sample { return pingPong(1, n) }},
	{"chan_b_1x1", func(n int) sample { return bounded(n, 1, 1) }},
	{"chan_b_1x4", func(n int) sample { return bounded(n, 1, 4) }},
	{"chan_b_2x2", func(n int) sample { return bounded(n, 2, 2) }},
	{"chan_b_4x1", func(n int) sample { return bounded(n, 4, 1) }},
	{"chan_b_4x4", func(n int) sample { return bounded(n, 4, 4) }},
	{"broadcast_1x8", broadcast},
	{"watch_1x8", watchLatest},
	{"mutex", mutex},
	{"semaphore", semaphore},
	{"notify", notify},
	{"timers", timers},
	{"sleeps", sleeps},
	{"idle_sleep", idleSleep},
	{"idle_recv", idleReceive},
	{"idle_channel", idleChannel},
	{"burst", burst},
	{"chan_depth", channelDepth},
	{"serve_echo", serveEcho},
	{"serve_http", serveHTTP},
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, each := range workloads {
			fmt.Println(each.name)
		}
		return
	}
	n, threads := 0, 0
	if len(os.Args) == 4 {
		n, _ = strconv.Atoi(os.Args[2])
		threads, _ = strconv.Atoi(os.Args[3])
	}
	if n < 1 || threads < 1 {
		fmt.Fprintf(os.Stderr, "usage: %s --list | WORKLOAD N THREADS\n", os.Args[0])
		os.Exit(2)
	}
	runtime.GOMAXPROCS(threads)
	for _, each := range workloads {
		if each.name == os.Args[1] {
			// In a goroutine of its own, as the other programs do; that the main one is tied to
			// no thread makes it the same.
			done := make(chan sample)
			go func() { done <- each.run(n) }()
			(<-done).print(each.name, n, threads)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "unknown workload: %s\n", os.Args[1])
	os.Exit(2)
}
