// Notify, AutoResetEvent, Event, Barrier, Latch and WaitGroup under stress: see stress_testing.h.

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/sync/barrier.h"
#include "home/sync/event.h"
#include "home/sync/latch.h"
#include "home/sync/notify.h"
#include "home/sync/stress_testing.h"
#include "home/sync/wait_group.h"

namespace home {
namespace {

using sync_testing::AbortAndRelease;
using sync_testing::kTasks;
using sync_testing::RunAndAbort;
using sync_testing::RunAndRelease;
using sync_testing::SpawnTasks;

class SignalStressTest : public sync_testing::StressTest {};

template <typename Signal>
Async<void> WaitForEver(Signal* signal, std::atomic<int>* seen) {
  while (true) {
    co_await signal->Wait();
    seen->fetch_add(1);
  }
}

// What `tell(signal)` is for one: it is never lost, though who got it may be aborted, nor seen
// twice.
template <typename Signal, typename Tell>
Async<void> TellOneAndAbort(int rounds, Tell tell) {
  Signal signal;
  for (int round = 0; round < rounds * 10; ++round) {
    std::atomic<int> seen{0};
    auto stays = Spawn(WaitForEver(&signal, &seen));
    auto goes = Spawn(WaitForEver(&signal, &seen));
    for (int i = 0; i < round % 4; ++i) co_await YieldNow();
    tell(signal);
    goes.Abort();
    const auto gone = co_await goes;
    EXPECT_FALSE(gone.ok());
    while (seen == 0) co_await YieldNow();
    stays.Abort();
    const auto ended = co_await stays;
    EXPECT_FALSE(ended.ok());
    EXPECT_EQ(seen, 1);
  }
}

TEST_P(SignalStressTest, NotifyOne) {
  Run([](int rounds) {
    return TellOneAndAbort<Notify>(rounds, [](Notify& notify) { notify.NotifyOne(); });
  });
}

TEST_P(SignalStressTest, NotifyLast) {
  Run([](int rounds) {
    return TellOneAndAbort<Notify>(rounds, [](Notify& notify) { notify.NotifyLast(); });
  });
}

TEST_P(SignalStressTest, AutoResetEvent) {
  Run([](int rounds) {
    return TellOneAndAbort<AutoResetEvent>(rounds, [](AutoResetEvent& event) { event.Set(); });
  });
}

// Says so once it is among those who wait.
Async<void> AwaitNotification(Notify* notify, std::atomic<int>* waiting) {
  auto wait = notify->Wait();
  bool counted = false;
  auto watched = PollFn([&](Context& cx) -> Poll<void> {
    Poll<void> polled = wait.Poll(cx);
    if (!std::exchange(counted, true)) waiting->fetch_add(1);
    return polled;
  });
  co_await watched;
}

// All who wait are released, though their neighbours are aborted meanwhile.
TEST_P(SignalStressTest, NotifyAll) {
  Run([](int rounds) -> Async<void> {
    Notify notify;
    for (int round = 0; round < rounds * 5; ++round) {
      std::atomic<int> waiting{0};
      std::vector<JoinHandle<void>> tasks =
          SpawnTasks([&](int) { return AwaitNotification(&notify, &waiting); });
      while (waiting < kTasks) co_await YieldNow();
      co_await AbortAndRelease(round, std::move(tasks), [&notify] { notify.NotifyAll(); });
      EXPECT_FALSE(notify.TryWait());
    }
  });
}

Async<int> Meet(Barrier* barrier, int rounds) {
  int led = 0;
  for (int i = 0; i < rounds; ++i) {
    const bool leads = co_await barrier->Wait();
    if (leads) ++led;
  }
  co_return led;
}

Async<void> MeetForEver(Barrier* barrier, std::atomic<int>* led, std::atomic<int>* followed) {
  while (true) {
    const bool leads = co_await barrier->Wait();
    (leads ? led : followed)->fetch_add(1);
  }
}

TEST_P(SignalStressTest, Barrier) {
  Run([](int rounds) -> Async<void> {
    Barrier barrier(kTasks);
    std::vector<JoinHandle<int>> tasks;
    for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(Meet(&barrier, rounds * 10)));
    int led = 0;
    for (JoinHandle<int>& task : tasks) {
      const auto part = co_await task;
      led += *part;
    }
    EXPECT_EQ(led, rounds * 10);
  });
}

// Who is aborted takes its arrival back: as many as the barrier is for still meet.
TEST_P(SignalStressTest, BarrierOfAbortedTasks) {
  Run([](int rounds) -> Async<void> {
    constexpr int kMeet = 3;
    Barrier barrier(kMeet);
    for (int round = 0; round < rounds; ++round) {
      std::atomic<int> led{0};
      std::atomic<int> followed{0};
      co_await RunAndAbort(round, [&](int) { return MeetForEver(&barrier, &led, &followed); });
      EXPECT_LE(followed, led * (kMeet - 1));
      std::vector<JoinHandle<int>> tasks;
      for (int i = 0; i < kMeet; ++i) tasks.push_back(Spawn(Meet(&barrier, 1)));
      int leaders = 0;
      for (JoinHandle<int>& task : tasks) {
        const auto part = co_await task;
        leaders += *part;
      }
      EXPECT_EQ(leaders, 1);
    }
  });
}

Async<void> AwaitEvent(Event* event) { co_await event->Wait(); }

// All who stay are released, though their neighbours are aborted meanwhile.
TEST_P(SignalStressTest, Event) {
  Run([](int rounds) -> Async<void> {
    Event event;
    for (int round = 0; round < rounds * 5; ++round) {
      event.Reset();
      co_await RunAndRelease(
          round, [&event](int) { return AwaitEvent(&event); }, [&event] { event.Set(); });
    }
  });
}

Async<void> CountAndAwait(Latch* latch, int index) {
  if (index % 2 == 1) latch->CountDown();
  co_await latch->Wait();
}

// Those who stay count, and one more: the last of them lets all of them through.
TEST_P(SignalStressTest, Latch) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      Latch latch(kTasks / 2 + 1);
      co_await RunAndRelease(
          round, [&latch](int i) { return CountAndAwait(&latch, i); },
          [&latch] { latch.CountDown(); });
      EXPECT_TRUE(latch.IsOpen());
    }
  });
}

Async<void> LeaveAndAwait(WaitGroup* group, WaitGroup::Member member) {
  co_await YieldNow();
  {
    const WaitGroup::Member leaving = std::move(member);
  }
  co_await group->Wait();
}

// Who is aborted is counted off, and all who stay are told when the last member is gone.
TEST_P(SignalStressTest, WaitGroup) {
  Run([](int rounds) -> Async<void> {
    WaitGroup group;
    for (int round = 0; round < rounds * 5; ++round) {
      std::optional<WaitGroup::Member> member(group.Join());
      co_await RunAndRelease(
          round, [&group](int) { return LeaveAndAwait(&group, group.Join()); },
          [&member] { member.reset(); });
      EXPECT_EQ(group.size(), 0u);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, SignalStressTest, sync_testing::kStressFlavours,
                         testing::FlavourName);

}  // namespace
}  // namespace home
