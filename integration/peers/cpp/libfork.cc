// The workloads of the race, for libfork, with the scheduler that its authors measure.
// Children cannot outlive their parent, and a task cannot wait for anything else.

#include <cstddef>
#include <cstdint>
#include <libfork.hpp>

#include "home/integration/peers/measure.h"

namespace home::race {
namespace {

constexpr auto kEmpty = [](auto) -> lf::task<void> { co_return; };

constexpr auto kForkAndJoin = [](auto, std::uint64_t tasks) -> lf::task<void> {
  for (std::uint64_t i = 0; i < tasks; ++i) co_await lf::fork(kEmpty)();
  co_await lf::join;
};

constexpr auto kSpawnJoin = [](auto, std::uint64_t rounds) -> lf::task<void> {
  for (std::uint64_t i = 0; i < rounds; ++i) co_await lf::just(kForkAndJoin)(kBatch);
};

constexpr auto kSpawnMany = [](auto, std::uint64_t n) -> lf::task<void> {
  co_await lf::fork(kForkAndJoin)(n / 2);
  co_await lf::call(kForkAndJoin)(n / 2);
  co_await lf::join;
};

constexpr auto kFib = [](auto fib, std::uint64_t n) -> lf::task<std::uint64_t> {
  if (n < 2) co_return n;
  std::uint64_t one = 0;
  std::uint64_t other = 0;
  co_await lf::fork(&one, fib)(n - 1);
  co_await lf::call(&other, fib)(n - 2);
  co_await lf::join;
  co_return one + other;
};

Sample SpawnJoin(std::uint64_t n, std::size_t threads) {
  lf::lazy_pool pool(threads);
  const std::uint64_t rounds = Batches(n, kBatch);
  const Watch watch;
  lf::sync_wait(pool, kSpawnJoin, rounds);
  return watch.Stop(rounds * kBatch, true);
}

Sample SpawnMany(std::uint64_t n, std::size_t threads) {
  lf::lazy_pool pool(threads);
  const Watch watch;
  lf::sync_wait(pool, kSpawnMany, n);
  return watch.Stop(n / 2 * 2, true);
}

Sample Fib(std::uint64_t n, std::size_t threads) {
  lf::lazy_pool pool(threads);
  const Fibonacci expected(n);
  const Watch watch;
  const std::uint64_t value = lf::sync_wait(pool, kFib, n);
  return watch.Stop(expected.calls, value == expected.value);
}

constexpr Workload kWorkloads[] = {
    {"spawn_join", SpawnJoin},
    {"spawn_many", SpawnMany},
    {"fib", Fib},
};

}  // namespace
}  // namespace home::race

int main(int argc, char** argv) {
  return home::race::Main(argc, argv, "libfork", home::race::kWorkloads);
}
