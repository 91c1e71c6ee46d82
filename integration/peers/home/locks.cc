// Tasks that share a lock.

#include <cstdint>
#include <memory>
#include <utility>

#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

constexpr std::uint64_t kLockers = 64;

Async<> LockOften(std::shared_ptr<Mutex<std::uint64_t>> counter, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    auto guard = co_await counter->Lock();
    ++*guard;
  }
}

}  // namespace

Sample LockInTurn(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const std::uint64_t each = (n + kLockers - 1) / kLockers;
    const auto counter = std::make_shared<Mutex<std::uint64_t>>(std::uint64_t{0});
    const Watch watch;
    JoinSet<void> lockers;
    for (std::uint64_t i = 0; i < kLockers; ++i) lockers.Spawn(LockOften(counter, each));
    while (true) {
      const auto ended = co_await lockers.JoinNext();
      if (!ended.has_value()) break;
    }
    const std::uint64_t total = counter->Unguarded();
    co_return watch.Stop(each * kLockers, total == each * kLockers);
  });
}

}  // namespace home::race
