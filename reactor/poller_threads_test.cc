// What every Poller does when several threads meet at it.

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/poller.h"
#include "home/reactor/poller_testing.h"

namespace home::reactor_internal {
namespace {

TEST_P(PollerTest, NotifyEndsWaitsEarlierAndLater) {
  ASSERT_TRUE(poller_->Notify());
  EXPECT_TRUE(Wait(-1).empty());
  std::thread other([&] { EXPECT_TRUE(poller_->Notify()); });
  EXPECT_TRUE(Wait(-1).empty());
  other.join();
}

// Each announces its work and notifies; the waiter sleeps without a timeout.
TEST_P(PollerTest, NoNotifyOfManyThreadsIsLost) {
  constexpr int kThreads = 3;
  constexpr int kNotifies = 500;
  std::atomic<int> announced{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kNotifies; ++i) {
        announced.fetch_add(1);
        EXPECT_TRUE(poller_->Notify());
      }
    });
  }
  while (announced.load() < kThreads * kNotifies) EXPECT_TRUE(Wait(-1).empty());
  for (std::thread& thread : threads) thread.join();
}

TEST_P(PollerTest, AddReachesAWaitThatIsUnderWay) {
  for (std::uint64_t key = 0; key < 50; ++key) {
    const FdPair pipe = MakePipe();
    WriteByte(pipe.b);
    std::thread other([&] { EXPECT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), key).ok()); });
    EXPECT_TRUE(Wait(-1)[key].readable());
    other.join();
    poller_->Remove(pipe.a.get());
  }
}

// An event that is on its way when its descriptor is removed may still come out of
// the wait that is under way, and of none that begins later.
TEST_P(PollerTest, DeregistrationWhileAnEventIsInFlight) {
  const auto rounds = static_cast<std::uint64_t>(Rounds(2000));
  std::atomic<std::uint64_t> removed{0};  // all keys up to this one are
  std::thread other([&] {
    const FdPair pipe = MakePipe();
    for (std::uint64_t key = 1; key <= rounds; ++key) {
      EXPECT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), key).ok());
      WriteByte(pipe.b);
      char byte;
      EXPECT_EQ(ReadSome(pipe.a, &byte, 1), 1);
      poller_->Remove(pipe.a.get());
      removed.store(key);
    }
    EXPECT_TRUE(poller_->Notify());
  });
  for (std::uint64_t before = 0; before < rounds; before = removed.load()) {
    for (const auto& [key, ready] : Wait(-1)) {
      EXPECT_GT(key, before);
      EXPECT_TRUE(ready.readable());
    }
  }
  other.join();
  EXPECT_TRUE(Wait().empty());
}

}  // namespace
}  // namespace home::reactor_internal
