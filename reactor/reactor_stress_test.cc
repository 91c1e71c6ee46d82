// The reactor under many threads; run under ThreadSanitizer and
// AddressSanitizer.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace {

using home::testing::CountingWaker;
using home::testing::PollOnce;
using reactor_internal::Bell;
using reactor_internal::FdPair;
using reactor_internal::MakePipe;
using reactor_internal::WriteByte;

// Polls a reactor on two threads in turn until destroyed.
class Pollers {
 public:
  explicit Pollers(Reactor& reactor) : reactor_(reactor) {
    for (std::thread& thread : threads_) thread = std::thread([this] { Run(); });
  }
  ~Pollers() {
    done_.store(true);
    // Each Wake ends one Poll, and there are two pollers.
    while (running_.load() != 0) {
      reactor_.Wake();
      std::this_thread::yield();
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Run() {
    while (!done_.load()) {
      WakeList wakes;
      {
        const std::lock_guard<std::mutex> lock(turn_);
        if (done_.load()) break;
        reactor_.Poll(-1, wakes);
      }
      wakes.WakeAll();
    }
    running_.fetch_sub(1);
  }

  Reactor& reactor_;
  std::mutex turn_;
  std::atomic<bool> done_{false};
  std::atomic<int> running_{2};
  std::thread threads_[2];
};

// Registrations, their events and their ends, all at the same time, with
// descriptor numbers and slots that are reused at once.
TEST(ReactorStressTest, DeregistrationDuringEvents) {
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  Pollers pollers(*reactor);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      CountingWaker counter;
      for (int i = 0; i < reactor_internal::Rounds(2000); ++i) {
        const Bell bell;
        Registration registration = reactor->Register(bell.get(), Interest::Read()).value();
        ReadyWait wait(registration, Direction::kRead);
        int wakes = counter.wakes();
        EXPECT_TRUE(PollOnce(wait, counter).pending());
        bell.Ring();
        // Some leave at once, while the event is on its way.
        if ((i + t) % 3 == 0) continue;
        for (;;) {
          while (counter.wakes() == wakes) std::this_thread::yield();
          // Not always ready: the wake may come from a wait of earlier that left at
          // once, whose waker the dispatcher had already taken.
          wakes = counter.wakes();
          if (PollOnce(wait, counter).ready()) break;
        }
      }
      // A dispatcher may still hold the last waker of one that left at once.
      while (counter.alive() != 0) std::this_thread::yield();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Readers that sleep whenever they find nothing: a lost edge hangs the test.
TEST(ReactorStressTest, EveryEdgeArrives) {
  constexpr std::size_t kRings = 10'000;
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  Pollers pollers(*reactor);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      // Which holds as many as that.
      const FdPair pipe = MakePipe();
      std::thread ringer([&] {
        for (std::size_t i = 0; i < kRings; ++i) WriteByte(pipe.b);
      });
      CountingWaker counter;
      Registration registration = reactor->Register(pipe.a.get(), Interest::Read()).value();
      ReadyWait wait(registration, Direction::kRead);
      std::size_t total = 0;
      while (total < kRings) {
        const int wakes = counter.wakes();
        home::Poll<ReadyEvent> ready = PollOnce(wait, counter);
        if (ready.pending()) {
          while (counter.wakes() == wakes) std::this_thread::yield();
          continue;
        }
        char bytes[64];
        const std::ptrdiff_t count = reactor_internal::ReadSome(pipe.a, bytes, sizeof(bytes));
        if (count > 0) {
          total += static_cast<std::size_t>(count);
        } else {
          wait.Clear(*ready);
        }
      }
      // The poller may still be inside the last wake-up.
      while (counter.alive() != 0) std::this_thread::yield();
      ringer.join();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Each waker announces its work and wakes; the poller sleeps without a timeout.
TEST(ReactorStressTest, NoWakeIsLost) {
  constexpr int kThreads = 3;
  constexpr int kWakes = 10'000;
  const std::unique_ptr<Reactor> reactor = Reactor::Create().value();
  std::atomic<int> announced{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kWakes; ++i) {
        // relaxed: Wake() is what must make it visible.
        announced.fetch_add(1, std::memory_order_relaxed);
        reactor->Wake();
      }
    });
  }
  WakeList wakes;
  while (announced.load(std::memory_order_relaxed) < kThreads * kWakes) reactor->Poll(-1, wakes);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace home
