// The workloads of the race, for oneTBB: task_group, in an arena of as many threads as there
// are workers. Its tasks have neither handles nor suspension.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

namespace tbb = oneapi::tbb;

template <typename Body>
Sample RunInArena(std::size_t threads, Body body) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  Sample sample;
  arena.execute([&] { sample = body(); });
  return sample;
}

Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  return RunInArena(threads, [n] {
    const std::uint64_t rounds = Batches(n, kBatch);
    const Watch watch;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      tbb::task_group group;
      for (std::uint64_t i = 0; i < kBatch; ++i) group.run([] {});
      group.wait();
    }
    return watch.Stop(rounds * kBatch, true);
  });
}

Sample SpawnMany(std::uint64_t n, std::size_t threads) {
  return RunInArena(threads, [n] {
    const Watch watch;
    tbb::task_group spawners;
    for (int i = 0; i < 2; ++i) {
      spawners.run([n] {
        tbb::task_group group;
        for (std::uint64_t k = 0; k < n / 2; ++k) group.run([] {});
        group.wait();
      });
    }
    spawners.wait();
    return watch.Stop(n / 2 * 2, true);
  });
}

std::uint64_t ForkFib(std::uint64_t n) {
  if (n < 2) return n;
  std::uint64_t other = 0;
  tbb::task_group group;
  group.run([&other, n] { other = ForkFib(n - 1); });
  const std::uint64_t own = ForkFib(n - 2);
  group.wait();
  return own + other;
}

Sample Fib(std::uint64_t n, std::size_t threads) {
  return RunInArena(threads, [n] {
    const Fibonacci expected(n);
    const Watch watch;
    const std::uint64_t value = ForkFib(n);
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
  return home::race::Main(argc, argv, "tbb", home::race::kWorkloads);
}
