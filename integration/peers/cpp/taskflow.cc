// The workloads of the race, for Taskflow: TaskGroup and silent_async, as in its authors' own
// benchmarks of recursion. Its tasks have neither handles nor suspension.

#include <cstddef>
#include <cstdint>
#include <taskflow/taskflow.hpp>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

template <typename Body>
Sample RunOnWorker(std::size_t threads, Body body) {
  tf::Executor executor(threads);
  return executor.async([&] { return body(executor); }).get();
}

void SpawnAndWait(tf::Executor& executor, std::uint64_t tasks) {
  tf::TaskGroup group = executor.task_group();
  for (std::uint64_t i = 0; i < tasks; ++i) group.silent_async([] {});
  group.corun();
}

Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n](tf::Executor& executor) {
    const std::uint64_t rounds = Batches(n, kBatch);
    const Watch watch;
    for (std::uint64_t round = 0; round < rounds; ++round) SpawnAndWait(executor, kBatch);
    return watch.Stop(rounds * kBatch, true);
  });
}

Sample SpawnMany(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n](tf::Executor& executor) {
    const Watch watch;
    tf::TaskGroup spawners = executor.task_group();
    for (int i = 0; i < 2; ++i) {
      spawners.silent_async([n, &executor] { SpawnAndWait(executor, n / 2); });
    }
    spawners.corun();
    return watch.Stop(n / 2 * 2, true);
  });
}

std::uint64_t ForkFib(tf::Executor& executor, std::uint64_t n) {
  if (n < 2) return n;
  std::uint64_t other = 0;
  tf::TaskGroup group = executor.task_group();
  group.silent_async([&other, n, &executor] { other = ForkFib(executor, n - 1); });
  const std::uint64_t own = ForkFib(executor, n - 2);
  group.corun();
  return own + other;
}

Sample Fib(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n](tf::Executor& executor) {
    const Fibonacci expected(n);
    const Watch watch;
    const std::uint64_t value = ForkFib(executor, n);
    return watch.Stop(expected.calls, value == expected.value);
  });
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", SpawnJoin},
    {"spawn_many", SpawnMany},
    {"fib", Fib},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "taskflow", home::race::kWorkloads);
}
