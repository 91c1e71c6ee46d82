// Oneshot on the runtime: replies to tasks of which some are aborted. On threads, and on the
// simulated flavour, where channel_simulation_test runs it under many seeds.

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/channel/oneshot.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"

namespace home {
namespace {

using testing::Flavour;

class OneshotStressTest : public ::testing::TestWithParam<Flavour> {
 protected:
  // Few where a seed makes each run another one.
  const int rounds_ = GetParam() == Flavour::kSimulated ? 20 : 2'000;
  Runtime runtime_ = testing::MakeRuntime(GetParam());
};

struct Tally {
  std::atomic<int> sent{0};
  std::atomic<int> received{0};
  std::atomic<int> undelivered{0};
};

Async<void> Reply(OneshotSender<int> sender, Tally* tally, int value) {
  if (value % 3 == 0) co_await YieldNow();
  if (sender.Send(std::move(value))) tally->sent.fetch_add(1);
}

Async<void> Receive(OneshotReceiver<int> receiver, Tally* tally) {
  const auto value = co_await receiver;
  if (value.ok()) tally->received.fetch_add(1);
}

Async<void> Abortive(Tally* tally, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    auto ends = MakeOneshot<int>([tally](int) { tally->undelivered.fetch_add(1); });
    auto receiving = Spawn(Receive(std::move(ends.second), tally));
    auto replying = Spawn(Reply(std::move(ends.first), tally, int{round}));
    if (round % 2 == 0) {
      if (round % 4 == 0) co_await YieldNow();
      receiving.Abort();
    }
    const auto received = co_await receiving;
    const auto replied = co_await replying;
    EXPECT_TRUE(replied.ok());
    EXPECT_TRUE(received.ok() || round % 2 == 0);
  }
}

TEST_P(OneshotStressTest, EachValueEndsOnce) {
  Tally tally;
  runtime_.BlockOn(Abortive(&tally, rounds_));
  EXPECT_EQ(tally.received + tally.undelivered, tally.sent);
}

Async<void> WaitForNobody(OneshotSender<int> sender) {
  co_await sender.Closed();
  int value = 0;
  EXPECT_FALSE(sender.Send(std::move(value)));
}

TEST_P(OneshotStressTest, ClosedAgainstTheReceiversEnd) {
  runtime_.BlockOn([rounds = rounds_]() -> Async<void> {
    for (int round = 0; round < rounds; ++round) {
      auto ends = MakeOneshot<int>();
      auto waiting = Spawn(WaitForNobody(std::move(ends.first)));
      if (round % 2 == 0) co_await YieldNow();
      {
        const OneshotReceiver<int> gone = std::move(ends.second);
      }
      const auto waited = co_await waiting;
      EXPECT_TRUE(waited.ok());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, OneshotStressTest,
                         ::testing::Values(Flavour::kFourWorkers, Flavour::kSimulated),
                         testing::FlavourName);

}  // namespace
}  // namespace home
