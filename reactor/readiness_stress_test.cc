// Owner, dispatcher and registry of one readiness word on threads of their own.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/readiness.h"

namespace home::reactor_internal {
namespace {

using home::testing::CountingWaker;

constexpr ReadySet kReadable(ReadySet::kReadable);

// Each edge announces one item. The owner sleeps while there is none, so an
// edge that is lost leaves it asleep for ever.
TEST(ReadinessStressTest, NoEdgeIsLost) {
  constexpr int kItems = 200'000;
  Readiness readiness;
  std::atomic<int> produced{0};

  // Two threads take turns as the dispatcher, as workers do.
  std::mutex dispatcher;
  std::atomic<int> next{0};
  auto dispatch = [&] {
    for (;;) {
      Waker waker;
      {
        const std::lock_guard<std::mutex> lock(dispatcher);
        if (next.load() == kItems) return;
        next.fetch_add(1);
        produced.fetch_add(1);
        EXPECT_TRUE(readiness.Report(0, kReadable, &waker));
      }
      std::move(waker).Wake();
    }
  };
  std::thread one(dispatch);
  std::thread two(dispatch);

  CountingWaker counter;
  int consumed = 0;
  while (consumed < kItems) {
    const int wakes = counter.wakes();
    const Waker waker = counter.Make();
    Context cx(waker);
    home::Poll<ReadyEvent> ready = readiness.PollReady(cx);
    if (ready.pending()) {
      while (counter.wakes() == wakes) std::this_thread::yield();
      continue;
    }
    // "Reads" all there is, and then finds that it would block.
    consumed = produced.load();
    if (produced.load() == consumed) readiness.Clear(*ready);
  }
  one.join();
  two.join();
  const Waker left = readiness.Disarm();
}

// Registrations come and go in one slot while edges of all of them arrive.
TEST(ReadinessStressTest, EdgesOfOldGenerationsDoNotDisturb) {
  constexpr std::uint32_t kGenerations = 3000;
  Readiness readiness;
  std::atomic<std::uint32_t> current{0};
  std::atomic<bool> done{false};

  std::thread dispatcher([&] {
    while (!done.load()) {
      // May be one too old by the time it is reported.
      const std::uint32_t generation = current.load();
      Waker waker;
      readiness.Report(generation, kReadable, &waker);
      std::move(waker).Wake();
    }
  });

  // One for each: a waker that the dispatcher has taken may be woken after its
  // owner has left, but it never wakes the next owner.
  std::vector<CountingWaker> counters(kGenerations + 1);
  for (std::uint32_t generation = 1; generation <= kGenerations; ++generation) {
    {
      const Waker dropped = readiness.Reset(generation, ReadySet());
    }
    CountingWaker& counter = counters[generation];
    const Waker waker = counter.Make();
    Context cx(waker);
    // Nobody reports this generation yet.
    EXPECT_TRUE(readiness.PollReady(cx).pending());
    EXPECT_EQ(counter.wakes(), 0);
    current.store(generation);
    // Every other one leaves without waiting, its waker behind.
    if (generation % 2 == 0) continue;
    while (counter.wakes() == 0) std::this_thread::yield();
    EXPECT_TRUE(readiness.PollReady(cx).ready());
  }
  done.store(true);
  dispatcher.join();
  {
    const Waker dropped = readiness.Reset(0, ReadySet());
  }
  for (const CountingWaker& counter : counters) EXPECT_EQ(counter.alive(), 0);
}

}  // namespace
}  // namespace home::reactor_internal
