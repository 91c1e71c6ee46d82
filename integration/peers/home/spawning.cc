// Tasks that are spawned, joined, and that yield.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

Async<> Nothing() { co_return; }

Async<bool> SpawnAndAwait(std::uint64_t tasks) {
  auto scope = WithTaskGroup([tasks](TaskGroup& group) -> Async<> {
    for (std::uint64_t i = 0; i < tasks; ++i) group.Spawn(Nothing());
    co_return;
  });
  const absl::Status ended = co_await scope;
  co_return ended.ok();
}

Async<std::uint64_t> YieldTimes(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) co_await YieldNow();
  co_return times;
}

Async<std::uint64_t> ForkFib(std::uint64_t n) {
  if (n < 2) co_return n;
  auto other = Fork(ForkFib(n - 1));
  const std::uint64_t own = co_await ForkFib(n - 2);
  const std::uint64_t others = co_await other;
  co_return own + others;
}

}  // namespace

Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const std::uint64_t rounds = Batches(n, kBatch);
    std::uint64_t joined = 0;
    std::vector<JoinHandle<void>> handles;
    handles.reserve(kBatch);
    const Watch watch;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (std::uint64_t i = 0; i < kBatch; ++i) handles.push_back(Spawn(Nothing()));
      for (JoinHandle<void>& handle : handles) {
        const absl::Status ended = co_await handle;
        joined += ended.ok() ? 1 : 0;
      }
      handles.clear();
    }
    co_return watch.Stop(rounds * kBatch, joined == rounds * kBatch);
  });
}

Sample SpawnJoinReady(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::uint64_t sum = 0;
    const Watch watch;
    for (std::uint64_t i = 1; i <= n; ++i) {
      JoinHandle<std::uint64_t> handle =
          Spawn([](std::uint64_t value) -> Async<std::uint64_t> { co_return value; }(i));
      const absl::StatusOr<std::uint64_t> value = co_await handle;
      sum += *value;
    }
    co_return watch.Stop(n, sum == SumTo(n));
  });
}

Sample SpawnMany(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const Watch watch;
    JoinHandle<bool> first = Spawn(SpawnAndAwait(n / 2));
    JoinHandle<bool> second = Spawn(SpawnAndAwait(n / 2));
    const absl::StatusOr<bool> one = co_await first;
    const absl::StatusOr<bool> other = co_await second;
    co_return watch.Stop(n / 2 * 2, *one && *other);
  });
}

Sample Yield(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const std::uint64_t each = Batches(n, kBatch);
    std::vector<JoinHandle<std::uint64_t>> tasks;
    tasks.reserve(kBatch);
    const Watch watch;
    for (std::uint64_t i = 0; i < kBatch; ++i) tasks.push_back(Spawn(YieldTimes(each)));
    std::uint64_t yields = 0;
    for (JoinHandle<std::uint64_t>& task : tasks) {
      const absl::StatusOr<std::uint64_t> times = co_await task;
      yields += *times;
    }
    co_return watch.Stop(each * kBatch, yields == each * kBatch);
  });
}

Sample Fib(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const Fibonacci expected(n);
    const Watch watch;
    const std::uint64_t value = co_await ForkFib(n);
    co_return watch.Stop(expected.calls, value == expected.value);
  });
}

}  // namespace home::race
