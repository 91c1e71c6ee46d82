// What the deque's operations cost, beside the textbook Chase-Lev deque.
//
// ChaseLev below is the published algorithm (fixed capacity, for it is not to be grown
// here), with the store-load barrier of its Pop as a fence and as an exchange. It is here
// to check the claims made for the other way of claiming.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/deque/work_stealing_deque.h"

namespace home {
namespace {

enum class Barrier { kFence, kExchange };

template <Barrier kBarrier>
class ChaseLev {
 public:
  // The orders are those of Lê et al. (2013), figure 1.
  void Push(std::uintptr_t value) {
    const std::int64_t b = bottom_.load(std::memory_order_relaxed);
    benchmark::DoNotOptimize(top_.load(std::memory_order_acquire));
    slots_[static_cast<std::size_t>(b) % kCapacity].store(value, std::memory_order_relaxed);
    bottom_.store(b + 1, std::memory_order_release);
  }
  std::optional<std::uintptr_t> Pop() {
    const std::int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
    if constexpr (kBarrier == Barrier::kFence) {
      bottom_.store(b, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
      bottom_.exchange(b, std::memory_order_seq_cst);
    }
    std::int64_t t = top_.load(std::memory_order_seq_cst);
    std::optional<std::uintptr_t> result;
    if (t <= b) {
      result = slots_[static_cast<std::size_t>(b) % kCapacity].load(std::memory_order_relaxed);
      if (t < b) return result;
      if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
        result.reset();
      }
    }
    bottom_.store(b + 1, std::memory_order_relaxed);
    return result;
  }
  std::optional<std::uintptr_t> Steal() {
    std::int64_t t = top_.load(std::memory_order_seq_cst);
    const std::int64_t b = bottom_.load(std::memory_order_seq_cst);
    if (t >= b) return std::nullopt;
    const std::uintptr_t value =
        slots_[static_cast<std::size_t>(t) % kCapacity].load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
      return std::nullopt;
    }
    return value;
  }
  std::optional<std::uintptr_t> PopFront() { return Steal(); }

 private:
  static constexpr std::size_t kCapacity = 4096;

  alignas(64) std::atomic<std::int64_t> top_{0};
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  std::atomic<std::uintptr_t> slots_[kCapacity] = {};
};

using Deque = WorkStealingDeque<std::uintptr_t>;

bool Took(const std::optional<std::uintptr_t>& element) { return element.has_value(); }
bool Took(const StealResult<std::uintptr_t>& stolen) { return stolen.ok(); }

// One in, one out: the last-element case throughout. Time is for the pair.
template <typename D>
void BM_PushPop(benchmark::State& state) {
  D deque;
  for (auto _ : state) {
    deque.Push(1);
    benchmark::DoNotOptimize(deque.Pop());
  }
}
BENCHMARK(BM_PushPop<Deque>);
BENCHMARK(BM_PushPop<ChaseLev<Barrier::kExchange>>);
BENCHMARK(BM_PushPop<ChaseLev<Barrier::kFence>>);

template <typename D>
void BM_PushPopFront(benchmark::State& state) {
  D deque;
  for (auto _ : state) {
    deque.Push(1);
    benchmark::DoNotOptimize(deque.PopFront());
  }
}
BENCHMARK(BM_PushPopFront<Deque>);
BENCHMARK(BM_PushPopFront<ChaseLev<Barrier::kExchange>>);

// Bursts of 1,000, so that the last element does not count. Time is for a burst.
template <typename D>
void BM_BurstPushPop(benchmark::State& state) {
  D deque;
  for (auto _ : state) {
    for (std::uintptr_t i = 0; i < 1000; ++i) deque.Push(i);
    for (int i = 0; i < 1000; ++i) benchmark::DoNotOptimize(deque.Pop());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_BurstPushPop<Deque>);
BENCHMARK(BM_BurstPushPop<ChaseLev<Barrier::kExchange>>);
BENCHMARK(BM_BurstPushPop<ChaseLev<Barrier::kFence>>);

void BM_PopOfEmpty(benchmark::State& state) {
  Deque deque;
  for (auto _ : state) benchmark::DoNotOptimize(deque.PopFront());
}
BENCHMARK(BM_PopOfEmpty);

// Moving 1,024 elements to another deque, one a CAS or half of what is left a CAS.
// From a buffer that stays, and from a large one.
void BM_StealOneByOne(benchmark::State& state) {
  const auto count = static_cast<std::uintptr_t>(state.range(0));
  Deque victim;
  Deque thief;
  for (auto _ : state) {
    for (std::uintptr_t i = 0; i < count; ++i) victim.Push(i);
    for (auto stolen = victim.Steal(); stolen.ok(); stolen = victim.Steal()) {
      thief.Push(stolen.value());
    }
    while (thief.PopFront()) {
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_StealOneByOne)->Arg(1024)->Arg(2048);

void BM_StealHalves(benchmark::State& state) {
  Deque victim;
  Deque thief;
  for (auto _ : state) {
    for (std::uintptr_t i = 0; i < 1024; ++i) victim.Push(i);
    for (auto stolen = victim.StealHalf(thief); stolen.ok(); stolen = victim.StealHalf(thief)) {
      thief.Push(stolen.value());
    }
    while (thief.PopFront()) {
    }
  }
  state.SetItemsProcessed(state.iterations() * 1024);
}
BENCHMARK(BM_StealHalves);

// The owner pushes and pops while another thread steals as fast as it can.
template <typename D>
void BM_PushPopWithAThief(benchmark::State& state) {
  D deque;
  std::atomic<bool> done = false;
  std::int64_t stolen = 0;
  std::thread thief([&] {
    while (!done.load(std::memory_order_relaxed)) stolen += Took(deque.Steal()) ? 1 : 0;
  });
  for (auto _ : state) {
    for (std::uintptr_t i = 0; i < 10; ++i) deque.Push(i);
    for (int i = 0; i < 10; ++i) benchmark::DoNotOptimize(deque.Pop());
  }
  done = true;
  thief.join();
  state.SetItemsProcessed(state.iterations() * 10);
  state.counters["stolen"] =
      static_cast<double>(stolen) / static_cast<double>(state.iterations() * 10);
}
BENCHMARK(BM_PushPopWithAThief<Deque>)->UseRealTime();
BENCHMARK(BM_PushPopWithAThief<ChaseLev<Barrier::kExchange>>)->UseRealTime();

// The limit beneath: one uncontended RMW.
void BM_FetchAdd(benchmark::State& state) {
  std::atomic<std::uint64_t> word{0};
  for (auto _ : state) benchmark::DoNotOptimize(word.fetch_add(1, std::memory_order_acq_rel));
}
BENCHMARK(BM_FetchAdd);

}  // namespace
}  // namespace home
