// The workloads of the race, for TooManyCooks, with the switches that its author measures
// with: one priority, and tasks without checks.

#define TMC_IMPL
#define TMC_PRIORITY_COUNT 1
#define TMC_TRIVIAL_TASK

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <tmc/all_headers.hpp>
#include <utility>
#include <vector>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

constexpr std::uint64_t kLockers = 64;

Sample RunOnWorker(std::size_t threads, tmc::task<Sample> body) {
  tmc::ex_cpu executor;
  executor.set_thread_count(threads).init();
  return tmc::post_waitable(executor, std::move(body)).get();
}

tmc::task<void> Nothing() { co_return; }

tmc::task<void> SpawnAndAwait(std::uint64_t tasks) {
  auto each = std::views::iota(std::uint64_t{0}) |
              std::views::transform([](std::uint64_t) { return Nothing(); });
  co_await tmc::spawn_many(each.begin(), tasks);
}

tmc::task<Sample> SpawnJoinBody(std::uint64_t n) {
  const std::uint64_t rounds = Batches(n, kBatch);
  const Watch watch;
  for (std::uint64_t round = 0; round < rounds; ++round) co_await SpawnAndAwait(kBatch);
  co_return watch.Stop(rounds * kBatch, true);
}

tmc::task<std::uint64_t> Value(std::uint64_t value) { co_return value; }

tmc::task<Sample> SpawnJoinReadyBody(std::uint64_t n) {
  std::uint64_t sum = 0;
  const Watch watch;
  for (std::uint64_t i = 1; i <= n; ++i) {
    auto forked = tmc::spawn(Value(i)).fork();
    sum += co_await std::move(forked);
  }
  co_return watch.Stop(n, sum == SumTo(n));
}

tmc::task<Sample> SpawnManyBody(std::uint64_t n) {
  const Watch watch;
  co_await tmc::spawn_tuple(SpawnAndAwait(n / 2), SpawnAndAwait(n / 2));
  co_return watch.Stop(n / 2 * 2, true);
}

tmc::task<std::uint64_t> YieldTimes(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) co_await tmc::yield();
  co_return times;
}

tmc::task<Sample> YieldBody(std::uint64_t n) {
  const std::uint64_t each = Batches(n, kBatch);
  auto tasks = std::views::iota(std::uint64_t{0}) |
               std::views::transform([each](std::uint64_t) { return YieldTimes(each); });
  const Watch watch;
  const std::vector<std::uint64_t> yields = co_await tmc::spawn_many(tasks.begin(), kBatch);
  std::uint64_t sum = 0;
  for (const std::uint64_t times : yields) sum += times;
  co_return watch.Stop(each * kBatch, sum == each * kBatch);
}

// By fork(), which its author found faster here than spawn_tuple().
tmc::task<std::uint64_t> ForkFib(std::uint64_t n) {
  if (n < 2) co_return n;
  auto forked = tmc::spawn(ForkFib(n - 1)).fork();
  const std::uint64_t own = co_await ForkFib(n - 2);
  const std::uint64_t other = co_await std::move(forked);
  co_return own + other;
}

tmc::task<Sample> FibBody(std::uint64_t n) {
  const Fibonacci expected(n);
  const Watch watch;
  const std::uint64_t value = co_await ForkFib(n);
  co_return watch.Stop(expected.calls, value == expected.value);
}

tmc::task<void> Lock(tmc::mutex& mutex, std::uint64_t& counter, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto lock = co_await mutex.lock_scope();
    ++counter;
  }
}

tmc::task<Sample> MutexBody(std::uint64_t n) {
  const std::uint64_t each = Batches(n, kLockers);
  tmc::mutex mutex;
  std::uint64_t counter = 0;
  auto lockers = std::views::iota(std::uint64_t{0}) |
                 std::views::transform([&](std::uint64_t) { return Lock(mutex, counter, each); });
  const Watch watch;
  co_await tmc::spawn_many(lockers.begin(), kLockers);
  co_return watch.Stop(each * kLockers, counter == each * kLockers);
}

template <tmc::task<Sample> (*kBody)(std::uint64_t)>
Sample Run(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, kBody(n));
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", Run<SpawnJoinBody>},
    {"spawn_join_ready", Run<SpawnJoinReadyBody>},
    {"spawn_many", Run<SpawnManyBody>},
    {"yield", Run<YieldBody>},
    {"fib", Run<FibBody>},
    {"mutex", Run<MutexBody>},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "toomanycooks", home::race::kWorkloads);
}
