// What the queues cost: alone, and with threads on both ends.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/michael_scott_queue.h"
#include "home/queue/mpsc_queue.h"
#include "home/queue/segment_queue.h"

namespace home {
namespace {

constexpr std::size_t kCapacity = 1024;

// What one would write without the package.
class MutexQueue {
 public:
  explicit MutexQueue(std::size_t capacity) : capacity_(capacity) {}

  bool TryPush(std::uint64_t&& value) {
    const std::lock_guard lock(mutex_);
    if (values_.size() == capacity_) return false;
    values_.push_back(value);
    return true;
  }
  std::optional<std::uint64_t> TryPop() {
    const std::lock_guard lock(mutex_);
    if (values_.empty()) return std::nullopt;
    const std::uint64_t value = values_.front();
    values_.pop_front();
    return value;
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::deque<std::uint64_t> values_;
};

// The unbounded queues with the interface of the bounded ones.
template <typename Q>
class Unbounded {
 public:
  explicit Unbounded(std::size_t) {}
  bool TryPush(std::uint64_t&& value) {
    queue_.Push(value);
    return true;
  }
  std::optional<std::uint64_t> TryPop() { return queue_.TryPop(); }

 private:
  Q queue_;
};

using Bounded = BoundedQueue<std::uint64_t>;
using Segment = Unbounded<SegmentQueue<std::uint64_t>>;
using MichaelScott = Unbounded<MichaelScottQueue<std::uint64_t>>;

template <typename Q>
void BM_PushPop(benchmark::State& state) {
  Q queue(kCapacity);
  for (auto _ : state) {
    benchmark::DoNotOptimize(queue.TryPush(1));
    benchmark::DoNotOptimize(queue.TryPop());
  }
}
BENCHMARK(BM_PushPop<Bounded>);
BENCHMARK(BM_PushPop<Segment>);
BENCHMARK(BM_PushPop<MichaelScott>);
BENCHMARK(BM_PushPop<MutexQueue>);

template <typename Q>
void BM_Burst(benchmark::State& state) {
  constexpr std::uint64_t kBurst = 1000;
  Q queue(kCapacity);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kBurst; ++i) benchmark::DoNotOptimize(queue.TryPush(i + 0));
    for (std::uint64_t i = 0; i < kBurst; ++i) benchmark::DoNotOptimize(queue.TryPop());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
}
BENCHMARK(BM_Burst<Bounded>);
BENCHMARK(BM_Burst<Segment>);
BENCHMARK(BM_Burst<MichaelScott>);

template <typename Q>
void BM_PopOfEmpty(benchmark::State& state) {
  Q queue(kCapacity);
  for (auto _ : state) benchmark::DoNotOptimize(queue.TryPop());
}
BENCHMARK(BM_PopOfEmpty<Bounded>);
BENCHMARK(BM_PopOfEmpty<Segment>);
BENCHMARK(BM_PopOfEmpty<MichaelScott>);

// Arguments: producers, consumers. An iteration moves kElements; the items a second count.
template <typename Q>
void BM_ProducersConsumers(benchmark::State& state) {
  constexpr std::uint64_t kElements = 400'000;
  const auto producers = static_cast<std::uint64_t>(state.range(0));
  const auto consumers = static_cast<std::uint64_t>(state.range(1));
  for (auto _ : state) {
    Q queue(kCapacity);
    std::atomic<std::uint64_t> sum = 0;
    std::vector<std::thread> threads;
    for (std::uint64_t p = 0; p < producers; ++p) {
      threads.emplace_back([&] {
        for (std::uint64_t i = 0; i < kElements / producers; ++i) {
          while (!queue.TryPush(std::uint64_t{i})) std::this_thread::yield();
        }
      });
    }
    for (std::uint64_t c = 0; c < consumers; ++c) {
      threads.emplace_back([&] {
        std::uint64_t mine = 0;
        for (std::uint64_t i = 0; i < kElements / consumers; ++i) {
          std::optional<std::uint64_t> value;
          while (!(value = queue.TryPop())) std::this_thread::yield();
          mine += *value;
        }
        sum += mine;
      });
    }
    for (std::thread& thread : threads) thread.join();
    const std::uint64_t per_producer = kElements / producers;
    if (sum.load() != producers * (per_producer * (per_producer - 1) / 2)) {
      state.SkipWithError("wrong sum");
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kElements));
}
BENCHMARK(BM_ProducersConsumers<Bounded>)->Args({1, 1})->Args({2, 2})->Args({4, 4})->UseRealTime();
BENCHMARK(BM_ProducersConsumers<Segment>)->Args({1, 1})->Args({2, 2})->Args({4, 4})->UseRealTime();
BENCHMARK(BM_ProducersConsumers<MichaelScott>)
    ->Args({1, 1})
    ->Args({2, 2})
    ->Args({4, 4})
    ->UseRealTime();
BENCHMARK(BM_ProducersConsumers<MutexQueue>)->Args({1, 1})->Args({2, 2})->UseRealTime();

struct LockFree {
  struct Node : LockFreeMpscNode {};
  using Queue = LockFreeMpscQueue<Node>;
};
struct WaitFree {
  struct Node : MpscNode {};
  using Queue = MpscQueue<Node>;
};

template <typename Kind>
void BM_MpscPushPop(benchmark::State& state) {
  typename Kind::Queue queue;
  typename Kind::Node node;
  for (auto _ : state) {
    queue.Push(&node);
    benchmark::DoNotOptimize(queue.Pop());
  }
}
BENCHMARK(BM_MpscPushPop<LockFree>);
BENCHMARK(BM_MpscPushPop<WaitFree>);

// Many pushes to one collection: what a scheduler's list of remote releases sees.
template <typename Kind>
void BM_MpscBurst(benchmark::State& state) {
  typename Kind::Queue queue;
  std::array<typename Kind::Node, 64> nodes;
  for (auto _ : state) {
    for (auto& node : nodes) queue.Push(&node);
    while (auto* node = queue.Pop()) benchmark::DoNotOptimize(node);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(nodes.size()));
}
BENCHMARK(BM_MpscBurst<LockFree>);
BENCHMARK(BM_MpscBurst<WaitFree>);

template <typename Kind>
void BM_MpscPopOfEmpty(benchmark::State& state) {
  typename Kind::Queue queue;
  for (auto _ : state) benchmark::DoNotOptimize(queue.Pop());
}
BENCHMARK(BM_MpscPopOfEmpty<LockFree>);
BENCHMARK(BM_MpscPopOfEmpty<WaitFree>);

// Argument: producers. Every node is pushed once an iteration.
template <typename Kind>
void BM_MpscProducers(benchmark::State& state) {
  constexpr std::size_t kElements = 400'000;
  const auto producers = static_cast<std::size_t>(state.range(0));
  std::vector<typename Kind::Node> nodes(kElements);
  for (auto _ : state) {
    typename Kind::Queue queue;
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < producers; ++p) {
      threads.emplace_back([&, p] {
        for (std::size_t i = p; i < kElements; i += producers) queue.Push(&nodes[i]);
      });
    }
    for (std::size_t popped = 0; popped < kElements;) {
      if (queue.Pop() != nullptr) {
        ++popped;
      } else {
        std::this_thread::yield();
      }
    }
    for (std::thread& thread : threads) thread.join();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kElements));
}
BENCHMARK(BM_MpscProducers<LockFree>)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();
BENCHMARK(BM_MpscProducers<WaitFree>)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

}  // namespace
}  // namespace home
