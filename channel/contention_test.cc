// How long whoever loses a race for an end of a channel leaves it alone (contention.h).

#include "home/channel/contention.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "home/channel/block.h"
#include "home/channel/channel_policy.h"
#include "home/channel/kinds_testing.h"

namespace home::channel_internal {
namespace {

struct CountingPolicy : ChannelPolicy {
  static void Pause(int times) { pauses = times; }

  inline static int pauses = 0;
};

class ContentionTest : public testing::Test {
 protected:
  // Loses a race, after which the others claim a cell every `pauses_per_position` pauses, or not at
  // all if that is 0. How many pauses the loser made.
  int LoseRace(std::uint64_t pauses_per_position) {
    const std::uint64_t found = word_;
    const std::uint64_t now = contention_.Wait(found, [&] {
      if (pauses_per_position != 0) {
        word_ += static_cast<std::uint64_t>(CountingPolicy::pauses) / pauses_per_position * kStep;
      }
      return word_;
    });
    EXPECT_EQ(now, word_);
    return CountingPolicy::pauses;
  }

  std::uint64_t word_ = 0;

 private:
  Contention<CountingPolicy> contention_;
};

TEST_F(ContentionTest, WhoSeesTheOthersGoOnWaitsLonger) {
  EXPECT_EQ(LoseRace(1), CountingPolicy::kLeastPauses);
  EXPECT_EQ(LoseRace(1), CountingPolicy::kLeastPauses * 2);
  for (int i = 0; i < 20; ++i) LoseRace(1);
  EXPECT_EQ(LoseRace(1), CountingPolicy::kMostPauses);
}

TEST_F(ContentionTest, WhoSeesThemDoOtherThingsWaitsLess) {
  for (int i = 0; i < 20; ++i) LoseRace(1);
  EXPECT_EQ(LoseRace(CountingPolicy::kPausesPerPosition * 2), CountingPolicy::kMostPauses);
  EXPECT_EQ(LoseRace(0), CountingPolicy::kMostPauses / 2);
  for (int i = 0; i < 20; ++i) LoseRace(0);
  EXPECT_EQ(LoseRace(0), CountingPolicy::kLeastPauses);
}

// The positions wrap, and a flag that goes meanwhile is no claim.
TEST_F(ContentionTest, FlagsAndTheEndOfThePositionsDoNotMatter) {
  word_ = ~std::uint64_t{0};
  const std::uint64_t without_flags = word_ & ~kFlags;
  Contention<CountingPolicy> contention;
  EXPECT_EQ(contention.Wait(word_, [&] { return without_flags; }), without_flags);
  static_cast<void>(contention.Wait(word_, [] { return kStep * CountingPolicy::kMostPauses; }));
  EXPECT_EQ(CountingPolicy::pauses, CountingPolicy::kLeastPauses);
  static_cast<void>(contention.Wait(word_, [&] { return word_; }));
  EXPECT_EQ(CountingPolicy::pauses, CountingPolicy::kLeastPauses * 2);
}

// Two threads in turn, for one that runs.
struct TwoThreadsPolicy : CountingPolicy {
  static constexpr std::uint8_t kTurnsToBias = 1;
  static bool BiasPays() { return true; }
  static const void* ThisThread() { return thread; }

  inline static const void* thread = nullptr;
};

TEST(ContentionOfAChannelTest, WhoEndsABiasDoesNotWait) {
  const int first = 0;
  const int second = 0;
  constexpr int kValues = 4 * static_cast<int>(TwoThreadsPolicy::kPositionsPerTurn);
  auto [sender, receiver] = channel_testing::Mpmc<TwoThreadsPolicy>::MakeUnbounded<int>();
  CountingPolicy::pauses = 0;
  for (const int* thread : {&first, &second}) {
    TwoThreadsPolicy::thread = thread;
    for (int i = 0; i < kValues; ++i) EXPECT_EQ(sender.TrySend(int{i}), TrySendResult::kSent);
    for (int i = 0; i < kValues; ++i) EXPECT_EQ(receiver.TryRecv(), i);
  }
  EXPECT_EQ(CountingPolicy::pauses, 0);
}

}  // namespace
}  // namespace home::channel_internal
