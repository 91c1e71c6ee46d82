#include "home/sync/latch.h"

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

TEST(LatchTest, OpensAtZero) {
  Latch latch(3);
  CountingWaker counter;
  auto first = latch.Wait();
  auto second = latch.Wait();
  auto dropped = latch.Wait();
  EXPECT_TRUE(PollOnce(first, counter).pending());
  {
    auto moved = std::move(dropped);
    EXPECT_TRUE(PollOnce(moved, counter).pending());
  }
  EXPECT_TRUE(PollOnce(second, counter).pending());
  latch.CountDown(2);
  EXPECT_FALSE(latch.IsOpen());
  EXPECT_EQ(counter.wakes(), 0);
  latch.CountDown();
  EXPECT_TRUE(latch.IsOpen());
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_TRUE(PollOnce(first, counter).ready());
  EXPECT_TRUE(PollOnce(second, counter).ready());
  auto late = latch.Wait();
  EXPECT_TRUE(PollOnce(late).ready());
  EXPECT_EQ(counter.alive(), 0);
}

TEST(LatchTest, OfZeroIsOpen) {
  Latch latch(0);
  auto wait = latch.Wait();
  EXPECT_TRUE(PollOnce(wait).ready());
}

TEST(LatchTest, HostileWaker) {
  Latch latch(1);
  ExpectToStandAHostileWaker([&] { return latch.Wait(); }, [&] { latch.CountDown(); },
                             [&] {
                               auto wait = latch.Wait();
                               static_cast<void>(PollOnce(wait).ready());
                             });
}

#if !defined(NDEBUG)
TEST(LatchDeathTest, PollAfterReadyNamesTheFuture) {
  Latch latch(0);
  EXPECT_DEATH(testing::PollAfterReady(latch.Wait()), "\\(Latch or WaitGroup\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
