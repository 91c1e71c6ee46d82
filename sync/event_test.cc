#include "home/sync/event.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/blocking.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::HostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<Event::WaitFuture>);

TEST(EventTest, StartsUnsetAndCanBeSetAndReset) {
  Event event;
  EXPECT_FALSE(event.IsSet());
  event.Set();
  EXPECT_TRUE(event.IsSet());
  event.Reset();
  EXPECT_FALSE(event.IsSet());
}

TEST(EventTest, WaitOnASetEventIsReadyAtOnceAndClonesNoWaker) {
  Event event;
  event.Set();
  CountingWaker counter;
  auto wait = event.Wait();
  EXPECT_TRUE(PollOnce(wait, counter).ready());
  EXPECT_EQ(counter.alive(), 0);
}

TEST(EventTest, SetWakesEveryWaiterOnce) {
  Event event;
  CountingWaker counter;
  std::vector<std::unique_ptr<Event::WaitFuture>> waits;
  for (int i = 0; i < 40; ++i) {
    waits.push_back(std::make_unique<Event::WaitFuture>(event.Wait()));
    EXPECT_TRUE(PollOnce(*waits.back(), counter).pending());
  }
  event.Set();
  EXPECT_EQ(counter.wakes(), 40);
  EXPECT_EQ(counter.alive(), 0);
  for (auto& wait : waits) EXPECT_TRUE(PollOnce(*wait, counter).ready());
}

TEST(EventTest, AReleaseSurvivesAReset) {
  Event event;
  CountingWaker counter;
  auto released = event.Wait();
  ASSERT_TRUE(PollOnce(released, counter).pending());
  event.Set();
  event.Reset();
  auto late = event.Wait();
  EXPECT_TRUE(PollOnce(late, counter).pending());
  EXPECT_TRUE(PollOnce(released, counter).ready());
}

TEST(EventTest, KeepsOneWakerAndReplacesItOnlyForAnotherTask) {
  Event event;
  CountingWaker first;
  CountingWaker second;
  auto wait = event.Wait();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(PollOnce(wait, first).pending());
    EXPECT_EQ(first.alive(), 1);
  }
  ASSERT_TRUE(PollOnce(wait, second).pending());
  EXPECT_EQ(first.alive(), 0);
  EXPECT_EQ(second.alive(), 1);
  event.Set();
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(second.wakes(), 1);
}

TEST(EventTest, DroppingAWaitUnlinksIt) {
  Event event;
  CountingWaker counter;
  auto before = std::make_unique<Event::WaitFuture>(event.Wait());
  auto middle = std::make_unique<Event::WaitFuture>(event.Wait());
  auto after = std::make_unique<Event::WaitFuture>(event.Wait());
  ASSERT_TRUE(PollOnce(*before, counter).pending());
  ASSERT_TRUE(PollOnce(*middle, counter).pending());
  ASSERT_TRUE(PollOnce(*after, counter).pending());
  middle.reset();
  EXPECT_EQ(counter.alive(), 2);
  event.Set();
  EXPECT_EQ(counter.wakes(), 2);
  // Dropping a wait that was released but never polled again is fine too.
  before.reset();
  EXPECT_TRUE(PollOnce(*after, counter).ready());
}

TEST(EventTest, AWaitMayMoveBeforeItsFirstPoll) {
  Event event;
  CountingWaker counter;
  auto wait = event.Wait();
  auto moved = std::move(wait);
  EXPECT_TRUE(PollOnce(moved, counter).pending());
}

// Pitfall 12: user code under a lock.
TEST(EventTest, HostileWakerReentersFromCloneWakeAndDrop) {
  Event event;
  HostileWaker hostile([&event] {
    auto wait = event.Wait();
    static_cast<void>(PollOnce(wait).ready());
    event.Set();
    event.Reset();
  });
  const Waker waker = hostile.Make();
  Context cx(waker);
  CountingWaker counter;
  {
    auto wait = event.Wait();
    ASSERT_TRUE(wait.Poll(cx).pending());            // clone
    ASSERT_TRUE(PollOnce(wait, counter).pending());  // drop, on replacement
  }
  {
    auto wait = event.Wait();
    ASSERT_TRUE(wait.Poll(cx).pending());
    event.Set();  // wake
    EXPECT_TRUE(wait.Poll(cx).ready());
    event.Reset();
  }
  {
    auto dropped = event.Wait();
    ASSERT_TRUE(dropped.Poll(cx).pending());
  }  // drop, with the future
}

// Pitfall: the object dies inside its own wake() (libuv#2226).
TEST(EventTest, AWaiterMayDestroyTheEventWhenItIsReleased) {
  struct Owner : WakerTarget {
    explicit Owner(const WakerVTable* vtable) : WakerTarget(vtable) {}
    std::unique_ptr<Event> event = std::make_unique<Event>();
    std::optional<Event::WaitFuture> wait;
  };
  static constexpr WakerVTable kDestroying = {
      .clone = [](WakerTarget* target) { return target; },
      .wake =
          [](WakerTarget* target) {
            auto* self = static_cast<Owner*>(target);
            EXPECT_TRUE(PollOnce(*self->wait).ready());
            self->wait.reset();
            self->event.reset();
          },
      .wake_by_ref = [](WakerTarget*) {},
      .drop = [](WakerTarget*) {},
  };
  Owner owner(&kDestroying);
  owner.wait.emplace(*owner.event);
  const Waker waker(&owner);
  Context cx(waker);
  ASSERT_TRUE(owner.wait->Poll(cx).pending());
  owner.event->Set();
  EXPECT_EQ(owner.event, nullptr);
}

TEST(EventStressTest, NoWakeUpIsLostAmongSetsResetsAndDrops) {
  constexpr int kRounds = 3000;
  Event event;
  std::atomic<int> waiting{3};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&event, &waiting, t] {
      for (int round = 0; round < kRounds; ++round) {
        auto wait = event.Wait();
        if (round % 5 == t) {
          static_cast<void>(PollOnce(wait).ready());  // and dropped, perhaps while it is released
          continue;
        }
        BlockingWait(std::move(wait));
      }
      waiting.fetch_sub(1);
    });
  }
  while (waiting.load() != 0) {
    event.Set();
    event.Reset();
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
}

TEST(EventStressTest, WritesBeforeSetAreSeenAfterTheWait) {
  for (int round = 0; round < 500; ++round) {
    auto event = std::make_unique<Event>();
    int value = 0;
    std::thread waiter([&] {
      BlockingWait(event->Wait());
      EXPECT_EQ(value, round);
    });
    value = round;
    event->Set();
    waiter.join();
  }
}

#if !defined(NDEBUG)
TEST(EventDeathTest, PollAfterReadyNamesTheFuture) {
  Event event;
  event.Set();
  EXPECT_DEATH(testing::PollAfterReady(event.Wait()), "\\(Event::Wait\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
