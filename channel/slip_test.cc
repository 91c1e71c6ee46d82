// When receivers let senders get ahead (shared_head.h, sole_head.h).

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
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

// A sender stands still between claiming a cell and filling it until the receiver has slipped.
struct HandshakePolicy : ChannelPolicy {
  static void Slip() { slipped = true; }

  inline static std::atomic<bool> claimed{false};
  inline static std::atomic<bool> slipped{false};
};

struct HaltsInMove {
  HaltsInMove() = default;
  HaltsInMove(HaltsInMove&&) noexcept {
    HandshakePolicy::claimed = true;
    // Long enough to be certain that the receiver does not.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!HandshakePolicy::slipped && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
  }
  HaltsInMove& operator=(HaltsInMove&&) = delete;
};

TEST(SoleHeadTest, WhoFindsACellThatIsJustBeingFilledWaits) {
  HandshakePolicy::claimed = false;
  HandshakePolicy::slipped = false;
  auto [sender, receiver] = channel_testing::Mpsc<HandshakePolicy>::MakeUnbounded<HaltsInMove>();
  std::thread sends(
      [&from = sender] { EXPECT_EQ(from.TrySend(HaltsInMove()), TrySendResult::kSent); });
  while (!HandshakePolicy::claimed) std::this_thread::yield();
  EXPECT_TRUE(receiver.TryRecv().has_value());
  EXPECT_TRUE(HandshakePolicy::slipped);
  sends.join();
}

TEST(SoleHeadTest, WhoFindsNothingDoesNot) {
  auto [sender, receiver] = channel_testing::Mpsc<CountingPolicy>::MakeUnbounded<int>();
  CountingPolicy::slips = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
    EXPECT_EQ(receiver.TryRecv(), i);
    EXPECT_FALSE(receiver.TryRecv().has_value());
  }
  EXPECT_EQ(CountingPolicy::slips, 0);
}

}  // namespace
}  // namespace home
