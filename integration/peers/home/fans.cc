// Channels in which every receiver learns of every value.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "home/channel/broadcast.h"
#include "home/channel/watch.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kReceivers = 8;

// Returns the sum of what it got; 0 if it missed something.
Async<std::uint64_t> HearAll(BroadcastReceiver<std::uint64_t> receiver,
                             std::shared_ptr<Barrier> round) {
  std::uint64_t sum = 0;
  for (std::uint64_t heard = 1;; ++heard) {
    const auto received = co_await receiver.Recv();
    if (!received.has_value()) co_return sum;
    if (received->missed() != 0) co_return 0;
    sum += received->value();
    if (heard % kCapacity == 0) co_await round->Wait();
  }
}

Async<> TellAll(BroadcastSender<std::uint64_t> sender, std::shared_ptr<Barrier> round,
                std::uint64_t n) {
  for (std::uint64_t value = 1; value <= n; ++value) {
    sender.Send(value);
    // Nobody may fall behind by more than the channel holds.
    if (value % kCapacity == 0) co_await round->Wait();
  }
}

// Returns how many values it saw up to the `last`.
Async<std::uint64_t> SeeLatest(WatchReceiver<std::uint64_t> receiver, std::uint64_t last) {
  std::uint64_t seen = 0;
  while (true) {
    const bool changed = co_await receiver.Changed();
    if (!changed) co_return 0;
    ++seen;
    if (*receiver.BorrowAndUpdate() == last) co_return seen;
  }
}

Async<> Update(WatchSender<std::uint64_t> sender, std::uint64_t n) {
  for (std::uint64_t value = 1; value <= n; ++value) {
    sender.Send(value);
    co_await YieldNow();
  }
}

}  // namespace

Sample BroadcastToEight(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    const auto round = std::make_shared<Barrier>(kReceivers + 1);
    auto [sender, receiver] = MakeBroadcast<std::uint64_t>(kCapacity);
    const Watch watch;
    std::vector<JoinHandle<std::uint64_t>> receivers;
    for (std::size_t i = 0; i < kReceivers; ++i) {
      receivers.push_back(Spawn(HearAll(receiver, round)));
    }
    Spawn(TellAll(std::move(sender), round, n)).Detach();
    bool correct = true;
    for (JoinHandle<std::uint64_t>& task : receivers) {
      const absl::StatusOr<std::uint64_t> sum = co_await task;
      correct &= *sum == SumTo(n);
    }
    co_return watch.Stop(n, correct);
  });
}

Sample WatchedByEight(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    auto [sender, receiver] = MakeWatch<std::uint64_t>(0);
    const Watch watch;
    std::vector<JoinHandle<std::uint64_t>> receivers;
    for (std::size_t i = 0; i < kReceivers; ++i) {
      receivers.push_back(Spawn(SeeLatest(receiver, n)));
    }
    Spawn(Update(std::move(sender), n)).Detach();
    std::uint64_t seen = 0;
    bool correct = true;
    for (JoinHandle<std::uint64_t>& task : receivers) {
      const absl::StatusOr<std::uint64_t> one = co_await task;
      correct &= *one != 0;
      seen += *one;
    }
    Sample sample = watch.Stop(n, correct);
    sample.more.emplace_back("seen", static_cast<double>(seen) / static_cast<double>(n));
    co_return sample;
  });
}

}  // namespace home::race
