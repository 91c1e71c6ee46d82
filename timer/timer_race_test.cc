// Threads that arm, cancel and fire at once; run under ThreadSanitizer and
// AddressSanitizer.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"
#include "home/timer/shard_lock.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

using home::testing::CountingWaker;
using home::testing::PollOnce;

// Both ways to take it: at once, and after a wait.
TEST(ShardLockTest, AdmitsOneAtATime) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 20'000;
  timer_internal::ShardLock lock;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const std::lock_guard guard(lock);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

// PITFALL 11, 22: a sleep is freed in the very moment in which it fires.
TEST(TimerRaceTest, CancelAgainstFire) {
  constexpr int kRounds = 20'000;
  CountingWaker waker;
  PausedClock clock;
  TimerService timers(2, &clock, [] {});
  std::atomic<bool> stop{false};
  std::thread firing([&] {
    WakeList wakes;
    while (!stop.load()) {
      clock.Advance(absl::Milliseconds(1));
      timers.FireAllExpired(wakes);
      wakes.WakeAll();
    }
  });
  std::vector<std::thread> owners;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    owners.emplace_back([&, shard] {
      const TimerScope scope(&timers, shard);
      std::mt19937 random(static_cast<unsigned>(shard));
      for (int i = 0; i < kRounds; ++i) {
        auto sleep = std::make_unique<Sleep>(absl::Microseconds(random() % 3000));
        (void)PollOnce(*sleep, waker).ready();
        for (unsigned spin = random() % 64; spin > 0; --spin) (void)timers.NextDeadline();
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  stop.store(true);
  firing.join();
  EXPECT_EQ(timers.size(), 0u);
  EXPECT_EQ(waker.alive(), 0);
}

// The waker is replaced in the moment in which it is taken; the last one is
// woken, or the poll that replaces it sees that the time is up.
TEST(TimerRaceTest, ReplaceWakerAgainstFire) {
  constexpr int kRounds = 5'000;
  CountingWaker a;
  CountingWaker b;
  PausedClock clock;
  TimerService timers(1, &clock, [] {});
  const TimerScope scope(&timers, 0);
  std::atomic<int> round{0};
  std::thread firing([&] {
    WakeList wakes;
    for (int i = 1; i <= kRounds; ++i) {
      while (round.load() < i) std::this_thread::yield();
      clock.Advance(absl::Milliseconds(1));
      while (timers.FireAllExpired(wakes) == 0) std::this_thread::yield();
      wakes.WakeAll();
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    const int a_before = a.wakes();
    const int b_before = b.wakes();
    Sleep sleep(absl::Milliseconds(1));
    ASSERT_TRUE(PollOnce(sleep, a).pending());
    round.store(i);
    if (PollOnce(sleep, b).pending()) {
      while (b.wakes() == b_before) std::this_thread::yield();
      ASSERT_TRUE(PollOnce(sleep, b).ready());
    } else {
      while (a.wakes() == a_before) std::this_thread::yield();
    }
  }
  firing.join();
  EXPECT_EQ(a.wakes() + b.wakes(), kRounds);
  EXPECT_EQ(a.alive() + b.alive(), 0);
}

// Moves from thread to thread: armed here, cancelled there, while the shard's
// own thread arms and fires.
TEST(TimerRaceTest, CancelFromAnotherThread) {
  constexpr int kRounds = 300;
  constexpr int kBatch = 64;
  CountingWaker waker;
  PausedClock clock;
  TimerService timers(1, &clock, [] {});
  std::mutex mutex;
  std::condition_variable given;
  std::vector<std::unique_ptr<Sleep>> handed;
  bool done = false;
  std::thread cancelling([&] {
    for (;;) {
      std::vector<std::unique_ptr<Sleep>> mine;
      std::unique_lock lock(mutex);
      given.wait(lock, [&] { return done || !handed.empty(); });
      if (handed.empty()) return;
      mine.swap(handed);
      lock.unlock();
    }
  });
  {
    const TimerScope scope(&timers, 0);
    WakeList wakes;
    for (int i = 0; i < kRounds; ++i) {
      std::vector<std::unique_ptr<Sleep>> armed;
      for (int j = 0; j < kBatch; ++j) {
        armed.push_back(std::make_unique<Sleep>(absl::Milliseconds(1 + j % 4)));
        ASSERT_TRUE(PollOnce(*armed.back(), waker).pending());
      }
      {
        const std::lock_guard lock(mutex);
        for (auto& sleep : armed) handed.push_back(std::move(sleep));
      }
      given.notify_one();
      clock.Advance(absl::Milliseconds(2));
      timers.FireAllExpired(wakes);
      wakes.WakeAll();
    }
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  given.notify_one();
  cancelling.join();
  EXPECT_EQ(timers.size(), 0u);
  EXPECT_EQ(waker.alive(), 0);
}

// A stand-in for the reactor: sleeps until it is woken. A wake-up that comes
// early counts for the next sleep, as with an eventfd.
class FakeReactor {
 public:
  void Wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_; });
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

// PITFALL 8, 21: no wake-up of the driver is lost. Time passes only as far as
// the driver was told to sleep, and it sleeps for ever on the far timer: a
// timer that it does not learn of never fires, and the test hangs.
TEST(TimerRaceTest, SleepingDriverLearnsOfEveryEarlierTimer) {
  constexpr int kRounds = 5'000;
  constexpr std::size_t kShards = 3;
  PausedClock clock;
  FakeReactor reactor;
  TimerService timers(kShards, &clock, [&] { reactor.Wake(); });
  const Instant far = clock.Now() + absl::Hours(24 * 365);
  TimerNode far_node;
  timers.Arm(far_node, kShards - 1, far, Waker());

  std::atomic<bool> stop{false};
  std::thread driver([&] {
    WakeList wakes;
    while (!stop.load()) {
      const Instant until = timers.PrepareSleep();
      if (until < far) {
        clock.AdvanceTo(until);
      } else {
        reactor.Wait();
      }
      timers.FinishSleep();
      timers.FireAllExpired(wakes);
      wakes.WakeAll();
    }
  });
  std::vector<std::thread> workers;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    workers.emplace_back([&, shard] {
      const TimerScope scope(&timers, shard);
      CountingWaker waker;
      std::mt19937 random(static_cast<unsigned>(shard));
      for (int i = 0; i < kRounds; ++i) {
        const int before = waker.wakes();
        Sleep sleep(absl::Milliseconds(1 + random() % 4));
        ASSERT_TRUE(PollOnce(sleep, waker).pending());
        while (waker.wakes() == before) std::this_thread::yield();
        ASSERT_TRUE(PollOnce(sleep, waker).ready());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  stop.store(true);
  reactor.Wake();
  driver.join();
  TimerService::Cancel(far_node);
}

}  // namespace
}  // namespace home
