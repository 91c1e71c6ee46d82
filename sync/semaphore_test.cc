#include "home/sync/semaphore.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<AcquireFuture<Semaphore*>>);
static_assert(sizeof(Semaphore) <= 32);

TEST(SemaphoreTest, PermitsGoAndComeBack) {
  Semaphore semaphore(3);
  auto acquire = semaphore.Acquire(2);
  auto two = PollOnce(acquire);
  ASSERT_TRUE(two.ready());
  EXPECT_EQ(semaphore.available(), 1u);
  EXPECT_FALSE(semaphore.TryAcquire(2).has_value());
  auto one = semaphore.TryAcquire();
  EXPECT_EQ(semaphore.available(), 0u);
  one->Merge(two.value()->Split(1));
  EXPECT_EQ(one->count(), 2u);
  one.reset();
  EXPECT_EQ(semaphore.available(), 2u);
  two.value()->Forget();
  semaphore.Add(5);
  EXPECT_EQ(semaphore.available(), 7u);
  EXPECT_EQ(semaphore.Forget(4), 4u);
  EXPECT_EQ(semaphore.Forget(4), 3u);
  EXPECT_EQ(semaphore.Forget(4), 0u);
}

TEST(SemaphoreTest, FirstComeFirstServed) {
  Semaphore semaphore(0);
  CountingWaker counters[3];
  auto many = semaphore.Acquire(3);
  auto few = semaphore.Acquire(1);
  auto more = semaphore.Acquire(2);
  EXPECT_TRUE(PollOnce(many, counters[0]).pending());
  EXPECT_TRUE(PollOnce(few, counters[1]).pending());
  EXPECT_TRUE(PollOnce(more, counters[2]).pending());
  semaphore.Add(2);
  // Nobody passes the first, nor does one who comes now.
  EXPECT_EQ(counters[1].wakes(), 0);
  EXPECT_FALSE(semaphore.TryAcquire().has_value());
  EXPECT_EQ(semaphore.Forget(1), 0u);
  semaphore.Add(2);
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_EQ(counters[2].wakes(), 0);
  auto one = PollOnce(few, counters[1]);
  EXPECT_TRUE(one.ready());
  {
    auto three = PollOnce(many, counters[0]);
    EXPECT_EQ(three.value()->count(), 3u);
  }
  EXPECT_TRUE(PollOnce(more, counters[2]).ready());
}

// Pitfall 27: a wait that was granted and is then dropped.
TEST(SemaphoreTest, DroppedWaits) {
  Semaphore semaphore(0);
  CountingWaker counter;
  auto last = semaphore.Acquire(2);
  {
    auto granted = semaphore.Acquire(2);
    auto large = semaphore.Acquire(10);
    EXPECT_TRUE(PollOnce(granted).pending());
    EXPECT_TRUE(PollOnce(large).pending());
    EXPECT_TRUE(PollOnce(last, counter).pending());
    semaphore.Add(2);
    EXPECT_EQ(counter.wakes(), 0);
  }
  // Neither the grant nor the place before is in the way any more.
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(last, counter).ready());
}

// Pitfall 16: a task that has no step of its budget left lines up and then yields, or who asks
// later would be served before it (tokio#8365).
TEST(SemaphoreTest, AnExhaustedBudgetCostsNoPlace) {
  Semaphore semaphore(0);
  CountingWaker counter;
  const Waker waker = counter.Make();
  Turn exhausted{.budget = 0};
  Context cx(waker, &exhausted);
  auto first = semaphore.Acquire();
  auto later = semaphore.Acquire();
  EXPECT_TRUE(first.Poll(cx).pending());
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(later).pending());
  semaphore.Add(1);
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_TRUE(PollOnce(later).pending());
  EXPECT_TRUE(PollOnce(first).ready());
}

// What is there is not taken in a turn that is over, and so nobody else waits for the next one.
TEST(SemaphoreTest, AnExhaustedBudgetTakesNothing) {
  Semaphore semaphore(1);
  CountingWaker counter;
  const Waker waker = counter.Make();
  Turn exhausted{.budget = 0};
  Context cx(waker, &exhausted);
  auto first = semaphore.Acquire();
  EXPECT_TRUE(first.Poll(cx).pending());
  EXPECT_EQ(semaphore.available(), 1u);
  auto other = semaphore.Acquire();
  EXPECT_TRUE(PollOnce(other).ready());
  EXPECT_TRUE(PollOnce(first).ready());
}

// In a turn that is over it is told that it was closed, and hears of it in the next.
TEST(SemaphoreTest, AnExhaustedBudgetAtAClosedSemaphore) {
  Semaphore semaphore(0);
  semaphore.Close();
  CountingWaker counter;
  const Waker waker = counter.Make();
  Turn exhausted{.budget = 0};
  Context cx(waker, &exhausted);
  auto wait = semaphore.Acquire();
  EXPECT_TRUE(wait.Poll(cx).pending());
  EXPECT_TRUE(wait.Poll(cx).pending());
  EXPECT_TRUE(PollOnce(wait).ready());
}

TEST(SemaphoreTest, ALazyGrantHoldsUpNobody) {
  Semaphore semaphore(0);
  CountingWaker counter;
  auto lazy = semaphore.Acquire();
  auto other = semaphore.Acquire();
  EXPECT_TRUE(PollOnce(lazy).pending());
  EXPECT_TRUE(PollOnce(other, counter).pending());
  semaphore.Add(1);
  semaphore.Add(1);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(other, counter).ready());
}

// Pitfall 26: every operation on an open and a closed semaphore, with 0, 1 and many permits.
TEST(SemaphoreTest, Close) {
  for (const std::size_t permits : {std::size_t{0}, std::size_t{1}, Semaphore::kMost - 1}) {
    Semaphore semaphore(permits);
    CountingWaker counter;
    auto waits = semaphore.Acquire(permits + 1);
    EXPECT_TRUE(PollOnce(waits, counter).pending());
    EXPECT_FALSE(semaphore.IsClosed());
    semaphore.Close();
    semaphore.Close();
    EXPECT_EQ(counter.wakes(), 1);
    EXPECT_EQ(PollOnce(waits, counter).value().status().code(),
              absl::StatusCode::kFailedPrecondition);
    semaphore.Add(1);
    EXPECT_TRUE(semaphore.IsClosed());
    EXPECT_EQ(semaphore.available(), permits + 1);
    EXPECT_FALSE(semaphore.TryAcquire().has_value());
    EXPECT_EQ(semaphore.Forget(1), 0u);
    auto late = semaphore.Acquire();
    EXPECT_EQ(PollOnce(late).value().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(semaphore.IsClosed());
    EXPECT_EQ(counter.alive(), 0);
  }
}

TEST(SemaphoreTest, ReplacesAWakerOnlyByAnother) {
  Semaphore semaphore(0);
  CountingWaker first;
  CountingWaker second;
  auto acquire = semaphore.Acquire();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(PollOnce(acquire, first).pending());
    EXPECT_EQ(first.alive(), 1);
  }
  EXPECT_TRUE(PollOnce(acquire, second).pending());
  EXPECT_EQ(first.alive(), 0);
  semaphore.Add(1);
  EXPECT_EQ(second.wakes(), 1);
}

TEST(SemaphoreTest, HostileWaker) {
  for (const bool close : {false, true}) {
    Semaphore semaphore(0);
    ExpectToStandAHostileWaker([&] { return semaphore.Acquire(); },
                               [&] { close ? semaphore.Close() : semaphore.Add(1); },
                               [&] {
                                 auto acquire = semaphore.Acquire();
                                 static_cast<void>(PollOnce(acquire).ready());
                               });
  }
}

}  // namespace
}  // namespace home
