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
#include "home/queue/mpsc_queue.h"

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

using Bounded = BoundedQueue<std::uint64_t>;

template <typename Q>
void BM_PushPop(benchmark::State& state) {
  Q queue(kCapacity);
  for (auto _ : state) {
    benchmark::DoNotOptimize(queue.TryPush(1));
    benchmark::DoNotOptimize(queue.TryPop());
  }
}
BENCHMARK(BM_PushPop<Bounded>);
BENCHMARK(BM_PushPop<MutexQueue>);

void BM_PopOfEmpty(benchmark::State& state) {
  Bounded queue(kCapacity);
  for (auto _ : state) benchmark::DoNotOptimize(queue.TryPop());
}
BENCHMARK(BM_PopOfEmpty);

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
BENCHMARK(BM_ProducersConsumers<MutexQueue>)->Args({1, 1})->Args({2, 2})->UseRealTime();

struct Node : MpscNode {};

void BM_MpscPushPop(benchmark::State& state) {
  MpscQueue<Node> queue;
  Node node;
  for (auto _ : state) {
    queue.Push(&node);
    benchmark::DoNotOptimize(queue.Pop());
  }
}
BENCHMARK(BM_MpscPushPop);

// Many pushes to one collection: what a scheduler's list of remote releases sees.
void BM_MpscBurst(benchmark::State& state) {
  MpscQueue<Node> queue;
  std::array<Node, 64> nodes;
  for (auto _ : state) {
    for (Node& node : nodes) queue.Push(&node);
    while (Node* node = queue.Pop()) benchmark::DoNotOptimize(node);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(nodes.size()));
}
BENCHMARK(BM_MpscBurst);

void BM_MpscPopOfEmpty(benchmark::State& state) {
  MpscQueue<Node> queue;
  for (auto _ : state) benchmark::DoNotOptimize(queue.Pop());
}
BENCHMARK(BM_MpscPopOfEmpty);

// Argument: producers. Every node is pushed once an iteration.
void BM_MpscProducers(benchmark::State& state) {
  constexpr std::size_t kElements = 400'000;
  const auto producers = static_cast<std::size_t>(state.range(0));
  std::vector<Node> nodes(kElements);
  for (auto _ : state) {
    MpscQueue<Node> queue;
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
BENCHMARK(BM_MpscProducers)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

}  // namespace
}  // namespace home
