#include "home/sync/notify.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<Notify::WaitFuture>);

TEST(NotifyTest, ANotificationIsKeptForOne) {
  Notify notify;
  notify.NotifyOne();
  notify.NotifyOne();
  auto first = notify.Wait();
  auto second = notify.Wait();
  EXPECT_TRUE(PollOnce(first).ready());
  EXPECT_TRUE(PollOnce(second).pending());
  notify.NotifyOne();
  EXPECT_TRUE(PollOnce(second).ready());
  EXPECT_FALSE(notify.TryWait());
  notify.NotifyOne();
  EXPECT_TRUE(notify.TryWait());
}

TEST(NotifyTest, WakesInOrder) {
  Notify notify;
  CountingWaker counters[2];
  auto first = notify.Wait();
  auto second = notify.Wait();
  EXPECT_TRUE(PollOnce(first, counters[0]).pending());
  EXPECT_TRUE(PollOnce(second, counters[1]).pending());
  notify.NotifyOne();
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  notify.NotifyOne();
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_TRUE(PollOnce(first, counters[0]).ready());
  EXPECT_TRUE(PollOnce(second, counters[1]).ready());
}

TEST(NotifyTest, TheLastIsTheOneThatCameLast) {
  Notify notify;
  CountingWaker counters[3];
  std::vector<Notify::WaitFuture> waits;
  for (int i = 0; i < 3; ++i) waits.push_back(notify.Wait());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(PollOnce(waits[i], counters[i]).pending());
  notify.NotifyLast();
  EXPECT_EQ(counters[2].wakes(), 1);
  EXPECT_TRUE(PollOnce(waits[2], counters[2]).ready());
  notify.NotifyOne();
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_TRUE(PollOnce(waits[0], counters[0]).ready());
  notify.NotifyLast();
  EXPECT_TRUE(PollOnce(waits[1], counters[1]).ready());
}

TEST(NotifyTest, TheLastIsKeptForOne) {
  Notify notify;
  notify.NotifyLast();
  notify.NotifyOne();
  EXPECT_TRUE(notify.TryWait());
  EXPECT_FALSE(notify.TryWait());
  notify.NotifyLast();
  auto wait = notify.Wait();
  EXPECT_TRUE(PollOnce(wait).ready());
}

TEST(NotifyTest, ADroppedLastHandsItsNotificationOnToTheFirst) {
  Notify notify;
  CountingWaker counters[2];
  auto first = notify.Wait();
  auto second = notify.Wait();
  EXPECT_TRUE(PollOnce(first, counters[0]).pending());
  EXPECT_TRUE(PollOnce(second, counters[1]).pending());
  {
    auto last = notify.Wait();
    EXPECT_TRUE(PollOnce(last).pending());
    notify.NotifyLast();
  }
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  EXPECT_TRUE(PollOnce(first, counters[0]).ready());
}

TEST(NotifyTest, AllIsNotKept) {
  Notify notify;
  CountingWaker counter;
  auto first = notify.Wait();
  auto second = notify.Wait();
  EXPECT_TRUE(PollOnce(first, counter).pending());
  EXPECT_TRUE(PollOnce(second, counter).pending());
  notify.NotifyAll();
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_TRUE(PollOnce(first, counter).ready());
  {
    // One that is dropped then hands nothing on.
    const auto gone = std::make_unique<Notify::WaitFuture>(notify.Wait());
    EXPECT_TRUE(PollOnce(*gone).pending());
    notify.NotifyAll();
  }
  auto late = notify.Wait();
  EXPECT_TRUE(PollOnce(late).pending());
  EXPECT_TRUE(PollOnce(second, counter).ready());
}

// Pitfall 27: a wait that was granted and is then dropped.
TEST(NotifyTest, ADroppedWaitHandsItsNotificationOn) {
  Notify notify;
  CountingWaker counter;
  auto next = notify.Wait();
  {
    auto dropped = notify.Wait();
    EXPECT_TRUE(PollOnce(dropped).pending());
    EXPECT_TRUE(PollOnce(next, counter).pending());
    notify.NotifyOne();
  }
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(next, counter).ready());
  {
    auto last = notify.Wait();
    EXPECT_TRUE(PollOnce(last).pending());
    notify.NotifyOne();
  }
  EXPECT_TRUE(notify.TryWait());
}

TEST(NotifyTest, AutoResetEvent) {
  AutoResetEvent event;
  event.Set();
  event.Set();
  event.Reset();
  auto wait = event.Wait();
  EXPECT_TRUE(PollOnce(wait).pending());
  event.Set();
  EXPECT_TRUE(PollOnce(wait).ready());
  auto second = event.Wait();
  EXPECT_TRUE(PollOnce(second).pending());
}

TEST(NotifyTest, HostileWaker) {
  Notify notify;
  ExpectToStandAHostileWaker([&] { return notify.Wait(); }, [&] { notify.NotifyAll(); },
                             [&] {
                               notify.NotifyOne();
                               notify.NotifyLast();
                               auto wait = notify.Wait();
                               static_cast<void>(PollOnce(wait).ready());
                               notify.NotifyAll();
                             });
}

// This one notifies nobody, so that each notification meets one who waits.
TEST(NotifyTest, HostileWakerThatIsNotified) {
  for (const auto tell : {&Notify::NotifyOne, &Notify::NotifyLast, &Notify::NotifyAll}) {
    Notify notify;
    ExpectToStandAHostileWaker([&] { return notify.Wait(); }, [&] { (notify.*tell)(); },
                               [&] {
                                 auto wait = notify.Wait();
                                 static_cast<void>(PollOnce(wait).ready());
                               });
  }
}

#if !defined(NDEBUG)
TEST(NotifyDeathTest, PollAfterReadyNamesTheFuture) {
  Notify notify;
  notify.NotifyOne();
  EXPECT_DEATH(testing::PollAfterReady(notify.Wait()), "\\(Notify::Wait\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
