#include "home/sync/barrier.h"

#include <optional>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

TEST(BarrierTest, TheLastLeadsAndTheNextRoundIsAsTheFirst) {
  Barrier barrier(3);
  CountingWaker counter;
  for (int round = 1; round <= 2; ++round) {
    auto a = barrier.Wait();
    auto b = barrier.Wait();
    auto c = barrier.Wait();
    EXPECT_TRUE(PollOnce(a, counter).pending());
    EXPECT_TRUE(PollOnce(a, counter).pending());
    EXPECT_TRUE(PollOnce(b, counter).pending());
    EXPECT_EQ(counter.wakes(), 2 * (round - 1));
    EXPECT_TRUE(*PollOnce(c, counter));
    EXPECT_EQ(counter.wakes(), 2 * round);
    // One of the next round does not get in between.
    auto next = barrier.Wait();
    EXPECT_TRUE(PollOnce(next, counter).pending());
    EXPECT_FALSE(*PollOnce(a, counter));
    EXPECT_FALSE(*PollOnce(b, counter));
  }
  EXPECT_EQ(counter.alive(), 0);
}

TEST(BarrierTest, ADroppedWaitHasNotCome) {
  Barrier barrier(2);
  CountingWaker counter;
  {
    auto dropped = barrier.Wait();
    EXPECT_TRUE(PollOnce(dropped).pending());
  }
  auto first = barrier.Wait();
  EXPECT_TRUE(PollOnce(first, counter).pending());
  {
    auto second = barrier.Wait();
    EXPECT_TRUE(*PollOnce(second));
  }
  // Nor does one that is dropped when the round is over take anything back.
  std::optional<Barrier::WaitFuture> released(barrier.Wait());
  EXPECT_TRUE(PollOnce(*released).pending());
  auto last = barrier.Wait();
  EXPECT_TRUE(*PollOnce(last));
  released.reset();
  EXPECT_FALSE(*PollOnce(first, counter));
  auto next = barrier.Wait();
  EXPECT_TRUE(PollOnce(next).pending());
}

TEST(BarrierTest, OfOneNeverWaits) {
  Barrier barrier(1);
  for (int i = 0; i < 2; ++i) {
    auto wait = barrier.Wait();
    EXPECT_TRUE(*PollOnce(wait));
  }
}

TEST(BarrierTest, HostileWaker) {
  Barrier barrier(2);
  ExpectToStandAHostileWaker([&] { return barrier.Wait(); },
                             [&] {
                               auto last = barrier.Wait();
                               static_cast<void>(PollOnce(last).ready());
                             },
                             [&] {
                               auto wait = barrier.Wait();
                               static_cast<void>(PollOnce(wait).ready());
                             });
}

#if !defined(NDEBUG)
TEST(BarrierDeathTest, PollAfterReadyNamesTheFuture) {
  Barrier barrier(1);
  EXPECT_DEATH(testing::PollAfterReady(barrier.Wait()), "\\(Barrier::Wait\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
