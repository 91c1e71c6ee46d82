// Tasks that share a lock or permits, and that notify each other.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

constexpr std::uint64_t kLockers = 64;
constexpr std::size_t kPermits = 4;

Async<> LockOften(std::shared_ptr<Mutex<std::uint64_t>> counter, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    auto guard = co_await counter->Lock();
    ++*guard;
  }
}

// Returns how often it had a permit.
Async<std::uint64_t> AcquireOften(std::shared_ptr<Semaphore> permits, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto permit = co_await permits->Acquire();
    if (!permit.ok()) co_return i;
    co_await YieldNow();
  }
  co_return times;
}

struct Signals {
  Notify ping;
  Notify pong;
};

Async<> NotifyBack(std::shared_ptr<Signals> signals, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    co_await signals->ping.Wait();
    signals->pong.NotifyOne();
  }
}
Async<std::uint64_t> NotifyAndWait(std::shared_ptr<Signals> signals, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    signals->ping.NotifyOne();
    co_await signals->pong.Wait();
  }
  co_return times;
}

}  // namespace

Sample LockInTurn(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const std::uint64_t each = Batches(n, kLockers);
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

Sample AcquireInTurn(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const std::uint64_t each = Batches(n, kLockers);
    const auto permits = std::make_shared<Semaphore>(kPermits);
    const Watch watch;
    std::vector<JoinHandle<std::uint64_t>> tasks;
    for (std::uint64_t i = 0; i < kLockers; ++i) {
      tasks.push_back(Spawn(AcquireOften(permits, each)));
    }
    std::uint64_t total = 0;
    for (JoinHandle<std::uint64_t>& task : tasks) {
      const absl::StatusOr<std::uint64_t> times = co_await task;
      total += *times;
    }
    const bool all_back = permits->available() == kPermits;
    co_return watch.Stop(each * kLockers, total == each * kLockers && all_back);
  });
}

Sample NotifyInTurn(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const auto signals = std::make_shared<Signals>();
    const Watch watch;
    Spawn(NotifyBack(signals, n)).Detach();
    JoinHandle<std::uint64_t> player = Spawn(NotifyAndWait(signals, n));
    const absl::StatusOr<std::uint64_t> times = co_await player;
    co_return watch.Stop(n, *times == n);
  });
}

}  // namespace home::race
