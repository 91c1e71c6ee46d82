// Broadcast and watch on the runtime, with receivers that fall behind and some that are aborted.
// On threads, and on the simulated flavour, where channel_simulation_test runs it under many
// seeds.

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/channel/broadcast.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"

namespace home {
namespace {

using testing::Flavour;

constexpr int kReceivers = 8;

class FanStressTest : public ::testing::TestWithParam<Flavour> {
 protected:
  // Few where a seed makes each run another one.
  const int values_ = GetParam() == Flavour::kSimulated ? 40 : 2'000;
  Runtime runtime_ = testing::MakeRuntime(GetParam());
};

// Spawns a task of `follow(receiver)` for some copies of `receiver`, aborts one after half of
// the values, `send(i)` for each i below `values`, and waits for all.
template <typename Ends, typename FollowOne, typename SendOne>
Async<void> SendToMany(Ends ends, FollowOne follow, SendOne send, int values) {
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < kReceivers; ++i) tasks.push_back(Spawn(follow(ends.second)));
  {
    auto sender = std::move(ends.first);
    for (int i = 0; i < values; ++i) {
      send(sender, i);
      if (i % 10 == 0) co_await YieldNow();
      if (i == values / 2) tasks[0].Abort();
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    static_cast<void>(done.ok());
  }
}

// Each counts as many values as were sent.
Async<void> FollowAll(BroadcastReceiver<std::string> receiver, std::atomic<int>* followed,
                      int all) {
  std::uint64_t seen = 0;
  while (true) {
    const auto received = co_await receiver.Recv();
    if (!received.has_value()) break;
    seen += received->missed() + 1;
    EXPECT_EQ(received->value(), std::to_string(seen - 1));
  }
  EXPECT_EQ(seen, static_cast<std::uint64_t>(all));
  followed->fetch_add(1);
}

TEST_P(FanStressTest, BroadcastToReceiversThatFallBehindAndGo) {
  std::atomic<int> followed{0};
  const int values = values_;
  const auto follow = [&](const BroadcastReceiver<std::string>& receiver) {
    return FollowAll(receiver, &followed, values);
  };
  const auto send = [](BroadcastSender<std::string>& sender, int i) {
    sender.Send(std::to_string(i));
  };
  runtime_.BlockOn(SendToMany(MakeBroadcast<std::string>(16), follow, send, values));
  // The aborted one, too, if it is in the middle of a poll that lasts until the end.
  EXPECT_GE(followed, kReceivers - 1);
}

// Every receiver sees the last value, and versions only grow.
Async<void> FollowLatest(WatchReceiver<int> receiver, int last) {
  int seen = 0;
  while (true) {
    const bool changed = co_await receiver.Changed();
    if (!changed) break;
    const auto value = receiver.Borrow();
    EXPECT_GE(*value, seen);
    seen = *value;
  }
  EXPECT_EQ(seen, last);
}

TEST_P(FanStressTest, EveryoneWatchesTheLast) {
  const int values = values_;
  const auto follow = [values](const WatchReceiver<int>& receiver) {
    return FollowLatest(receiver, values);
  };
  const auto send = [](WatchSender<int>& sender, int i) { sender.Send(i + 1); };
  runtime_.BlockOn(SendToMany(MakeWatch<int>(0), follow, send, values));
}

INSTANTIATE_TEST_SUITE_P(Flavours, FanStressTest,
                         ::testing::Values(Flavour::kFourWorkers, Flavour::kSimulated),
                         testing::FlavourName);

}  // namespace
}  // namespace home
