// The ping-pong: two threads that wake each other in turn, over any P with Park() and Unpark().
//
// Both threads are pinned, to one processor or to two, because where the kernel puts them decides
// everything. CPU time is that of both together.

#ifndef HOME_PARKER_PING_PONG_BENCHMARK_H_
#define HOME_PARKER_PING_PONG_BENCHMARK_H_

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "benchmark/benchmark.h"

namespace home {

inline void PinTo(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Argument: on how many processors the two threads run.
template <typename P>
void BM_PingPong(benchmark::State& state) {
  cpu_set_t before;
  pthread_getaffinity_np(pthread_self(), sizeof before, &before);
  PinTo(0);
  alignas(64) P ping;
  alignas(64) P pong;
  alignas(64) std::atomic<bool> done = false;
  std::thread peer([&] {
    PinTo(state.range(0) == 1 ? 0 : 1);
    for (;;) {
      pong.Park();
      const bool last = done.load();
      ping.Unpark();
      if (last) return;
    }
  });
  for (auto _ : state) {
    pong.Unpark();
    ping.Park();
  }
  done = true;
  pong.Unpark();
  ping.Park();
  peer.join();
  pthread_setaffinity_np(pthread_self(), sizeof before, &before);
}

}  // namespace home

#endif  // HOME_PARKER_PING_PONG_BENCHMARK_H_
