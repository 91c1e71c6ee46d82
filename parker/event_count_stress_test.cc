// EventCount: real threads that sleep on many queues at once, with the system's futex.
//
// A wake-up that is lost shows as a test that does not end.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/parker/event_count.h"

namespace home {
namespace {

// Counters that stand for queues: put adds one, take removes one if there is one. As relaxed as
// can be: the event count has to be enough.
class Counters {
 public:
  void Put(std::uint32_t which) {
    counters_[which % kCounters].fetch_add(1, std::memory_order_relaxed);
  }
  bool Take() {
    for (std::atomic<int>& counter : counters_) {
      int seen = counter.load(std::memory_order_relaxed);
      while (seen > 0) {
        if (counter.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed)) return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::uint32_t kCounters = 3;

  std::array<std::atomic<int>, kCounters> counters_{};
};

// What the consumers do while they look; each in a test of its own.
enum class Style { kCommit, kTimeout, kLeave };

void ConsumeEverything(Style style, int producers, int consumers, int items) {
  EventCount event_count;
  Counters counters;
  std::atomic<int> left = producers * items;
  std::vector<std::thread> threads;
  for (int c = 0; c < consumers; ++c) {
    threads.emplace_back([&, c] {
      EventCount::Waiter waiter;
      std::uint32_t random = 12'345u + static_cast<std::uint32_t>(c);
      const auto taken = [&] {
        if (left.fetch_sub(1) == 1) event_count.NotifyAll();
      };
      while (left.load() > 0) {
        random = random * 1'664'525u + 1'013'904'223u;
        event_count.Prepare(waiter);
        if (counters.Take()) {
          event_count.Cancel(waiter);
          taken();
        } else if (left.load() == 0 || (style == Style::kLeave && random >> 31 != 0)) {
          event_count.Cancel(waiter);
        } else if (style == Style::kTimeout) {
          static_cast<void>(event_count.CommitFor(waiter, absl::Nanoseconds(random >> 16)));
        } else {
          event_count.Commit(waiter);
        }
      }
    });
  }
  for (int p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (int i = 0; i < items; ++i) {
        counters.Put(static_cast<std::uint32_t>(i + p));
        event_count.NotifyOne();
        // Lets the consumers come to rest, so that most items meet sleepers.
        if (i % 4 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(left.load(), 0);
  EXPECT_FALSE(counters.Take());
}

TEST(EventCountStressTest, OneToOne) { ConsumeEverything(Style::kCommit, 1, 1, 10'000); }
TEST(EventCountStressTest, ManyToMany) { ConsumeEverything(Style::kCommit, 3, 3, 3'000); }
TEST(EventCountStressTest, Timeouts) { ConsumeEverything(Style::kTimeout, 2, 3, 3'000); }

// Consumers that turn away with a notification in hand: others must get it.
TEST(EventCountStressTest, LeavingWaiters) { ConsumeEverything(Style::kLeave, 2, 3, 3'000); }

// The lock-step in which every single wake-up counts.
TEST(EventCountStressTest, PingPong) {
  constexpr int kRounds = 10'000;
  EventCount event_count;
  std::atomic<int> turn = 0;
  int payload = 0;  // Handed over by release and acquire on `turn`.
  std::thread peer([&] {
    EventCount::Waiter waiter;
    for (int i = 0; i < kRounds; ++i) {
      event_count.Await(waiter, [&] { return turn.load(std::memory_order_acquire) == 1; });
      ++payload;
      turn.store(0, std::memory_order_release);
      event_count.NotifyAll();  // The other thread may be announced with this one.
    }
  });
  EventCount::Waiter waiter;
  for (int i = 0; i < kRounds; ++i) {
    ++payload;
    turn.store(1, std::memory_order_release);
    event_count.NotifyAll();
    event_count.Await(waiter, [&] { return turn.load(std::memory_order_acquire) == 0; });
    ASSERT_EQ(payload, 2 * (i + 1));
  }
  peer.join();
}

// The notification itself publishes: the payload is an ordinary variable.
TEST(EventCountStressTest, WhatPrecedesANotificationIsSeen) {
  for (int i = 0; i < 500; ++i) {
    EventCount event_count;
    int payload = 0;
    std::atomic<bool> prepared = false;
    std::thread sleeper([&] {
      EventCount::Waiter waiter;
      event_count.Prepare(waiter);
      prepared.store(true, std::memory_order_relaxed);
      event_count.Commit(waiter);
      EXPECT_EQ(payload, 1);
    });
    while (!prepared.load(std::memory_order_relaxed)) std::this_thread::yield();
    payload = 1;
    if (i % 2 == 0) {
      event_count.NotifyOne();
    } else {
      event_count.NotifyAll();
    }
    sleeper.join();
  }
}

// Every sleeper hears of a shutdown, whatever single notifications go around.
TEST(EventCountStressTest, NotifyAllReachesAll) {
  for (int i = 0; i < 200; ++i) {
    EventCount event_count;
    std::atomic<bool> stop = false;
    std::vector<std::thread> sleepers;
    for (int s = 0; s < 3; ++s) {
      sleepers.emplace_back([&] {
        EventCount::Waiter waiter;
        event_count.Await(waiter, [&] { return stop.load(std::memory_order_relaxed); });
      });
    }
    for (int n = 0; n < i % 8; ++n) event_count.NotifyOne();
    stop.store(true, std::memory_order_relaxed);
    event_count.NotifyAll();
    for (std::thread& sleeper : sleepers) sleeper.join();
  }
}

// The waiter frees the event count, and its own Waiter, as soon as it is released, while the
// notifier is still on its way out. AddressSanitizer watches.
TEST(EventCountStressTest, NotifyTouchesNothingAfterItsReleasingStore) {
  for (int i = 0; i < 2'000; ++i) {
    auto owned = std::make_unique<EventCount>();
    EventCount* const event_count = owned.get();
    std::atomic<bool> prepared = false;
    std::thread sleeper([&prepared, owned = std::move(owned)]() mutable {
      {
        auto waiter = std::make_unique<EventCount::Waiter>();
        owned->Prepare(*waiter);
        prepared.store(true, std::memory_order_relaxed);
        owned->Commit(*waiter);
      }
      owned.reset();
    });
    while (!prepared.load(std::memory_order_relaxed)) std::this_thread::yield();
    if (i % 4 >= 2) std::this_thread::yield();
    if (i % 2 == 0) {
      event_count->NotifyOne();
    } else {
      event_count->NotifyAll();
    }
    sleeper.join();
  }
}

}  // namespace
}  // namespace home
