// When the receivers of a channel for many let its senders get ahead (shared_head.h).

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gtest/gtest.h"
#include "home/channel/channel_policy.h"
#include "home/channel/kinds_testing.h"

namespace home {
namespace {

struct CountingPolicy : ChannelPolicy {
  static void Slip() { ++slips; }

  inline static int slips = 0;
};

// Sends and receives `rounds` times, `run` values each time, behind `ahead` that stay in the
// channel. The number of times that the receiver waited.
int SlipsOf(std::size_t ahead, std::size_t run, int rounds) {
  auto [sender, receiver] = channel_testing::Mpmc<CountingPolicy>::MakeUnbounded<int>();
  for (std::size_t i = 0; i < ahead; ++i) {
    EXPECT_EQ(sender.TrySend(0), TrySendResult::kSent);
  }
  CountingPolicy::slips = 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < run; ++i) {
      EXPECT_EQ(sender.TrySend(int{round}), TrySendResult::kSent);
    }
    for (std::size_t i = 0; i < run; ++i) EXPECT_TRUE(receiver.TryRecv().has_value());
    // With nothing left the receiver would fall asleep here.
    if (ahead == 0) {
      EXPECT_FALSE(receiver.TryRecv().has_value());
    }
  }
  return CountingPolicy::slips;
}

TEST(SharedHeadTest, WhoFollowsCloselyWaits) {
  constexpr int kRounds = 100;
  // Each look finds two values, the one left and the new one. The first looks are no proof.
  EXPECT_EQ(SlipsOf(1, 1, kRounds), kRounds / 2 - CountingPolicy::kFewRuns);
}

TEST(SharedHeadTest, WhoFindsManyDoesNot) {
  EXPECT_EQ(SlipsOf(CountingPolicy::kFewValues, CountingPolicy::kFewValues, 100), 0);
}

TEST(SharedHeadTest, WhoGetsOneByOneAndSleepsInBetweenDoesNot) { EXPECT_EQ(SlipsOf(0, 1, 100), 0); }

}  // namespace
}  // namespace home
