// What a parker costs, beside a bare futex doing the same.
//
// The ping-pong is two threads that wake each other in turn. "Bare" is the least that
// can be written with a futex: a word a side, one store and one wake, one wait. It is the
// reference for the parker: without a spin they should be level. Both threads are pinned,
// to one processor or to two, because where the kernel puts them decides everything.

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "home/parker/futex.h"
#include "home/parker/parker.h"

namespace home {
namespace {

template <int kSpinCount>
struct SpinPolicy : ParkerPolicy {
  static constexpr int kMinSpins = kSpinCount;
  static constexpr int kMaxSpins = kSpinCount;
};

// The least that works: wakes always, sleeps at once.
class BareFutex {
 public:
  void Unpark() {
    // release: the ping-pong's payload. pairs with: Park().
    word_.store(1, std::memory_order_release);
    parker_internal::FutexWake(&word_);
  }
  void Park() {
    // acquire: as above.
    while (word_.load(std::memory_order_acquire) == 0) {
      parker_internal::FutexWait(word_, 0, parker_internal::kNoDeadline);
    }
    // relaxed: the other side writes again only after it was woken by us.
    word_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

void PinTo(unsigned cpu) {
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
BENCHMARK(BM_PingPong<BareFutex>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<0>>>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<64>>>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<256>>>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(BM_PingPong<Parker>)->Arg(1)->Arg(2)->UseRealTime();

void BM_UnparkOfRunningThread(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) parker.Unpark();
}
BENCHMARK(BM_UnparkOfRunningThread);

void BM_UnparkThenPark(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) {
    parker.Unpark();
    parker.Park();
  }
}
BENCHMARK(BM_UnparkThenPark);

void BM_ParkForTimesOut(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) benchmark::DoNotOptimize(parker.ParkFor(absl::Nanoseconds(1)));
}
BENCHMARK(BM_ParkForTimesOut);

// The limits beneath.
void BM_FutexWakeOfNobody(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  for (auto _ : state) parker_internal::FutexWake(&word);
}
BENCHMARK(BM_FutexWakeOfNobody);

void BM_Exchange(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  for (auto _ : state) benchmark::DoNotOptimize(word.exchange(1));
}
BENCHMARK(BM_Exchange);

void BM_Relax(benchmark::State& state) {
  for (auto _ : state) ParkerPolicy::Relax();
}
BENCHMARK(BM_Relax);

}  // namespace
}  // namespace home
