// What an event count costs: nobody there, a look that finds work after all, and a wake-up.
//
// The ping-pong is that of parker_benchmark.cc over one event count a side; what it costs beyond
// the parker's is the protocol.

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "benchmark/benchmark.h"
#include "home/parker/event_count.h"
#include "home/parker/ping_pong_benchmark.h"

namespace home {
namespace {

void BM_NotifyOneOfNobody(benchmark::State& state) {
  EventCount event_count;
  for (auto _ : state) event_count.NotifyOne();
}
BENCHMARK(BM_NotifyOneOfNobody);

void BM_NotifyAllOfNobody(benchmark::State& state) {
  EventCount event_count;
  for (auto _ : state) event_count.NotifyAll();
}
BENCHMARK(BM_NotifyAllOfNobody);

void BM_PrepareCancel(benchmark::State& state) {
  EventCount event_count;
  EventCount::Waiter waiter;
  for (auto _ : state) {
    event_count.Prepare(waiter);
    event_count.Cancel(waiter);
  }
}
BENCHMARK(BM_PrepareCancel);

void BM_PrepareNotifyCommit(benchmark::State& state) {
  EventCount event_count;
  EventCount::Waiter waiter;
  for (auto _ : state) {
    event_count.Prepare(waiter);
    event_count.NotifyOne();
    event_count.Commit(waiter);
  }
}
BENCHMARK(BM_PrepareNotifyCommit);

// One side of the ping-pong.
class EventCountSide {
 public:
  void Unpark() {
    ready_.store(true, std::memory_order_release);
    event_count_.NotifyOne();
  }
  void Park() {
    event_count_.Await(waiter_, [this] { return ready_.load(std::memory_order_acquire); });
    // relaxed: the other side writes again only after it was woken by us.
    ready_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> ready_{false};
  EventCount event_count_;
  EventCount::Waiter waiter_;
};

// What one would write without any of this.
class ConditionVariableSide {
 public:
  void Unpark() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ready_ = true;
    }
    condition_.notify_one();
  }
  void Park() {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait(lock, [this] { return ready_; });
    ready_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool ready_ = false;
};

BENCHMARK(BM_PingPong<EventCountSide>)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(BM_PingPong<ConditionVariableSide>)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// The limit beneath.
void BM_Fence(benchmark::State& state) {
  for (auto _ : state) {
    EventCountPolicy::Fence();
    benchmark::ClobberMemory();  // Or fences next to one another become one.
  }
}
BENCHMARK(BM_Fence);

}  // namespace
}  // namespace home
