// What every Poller does when several threads, signals or processes meet at it.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
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
  }
}

// An event that is on its way when its descriptor is removed may still come out of
// the wait that is under way, and of none that begins later.
TEST_P(PollerTest, DeregistrationWhileAnEventIsInFlight) {
  constexpr std::uint64_t kRounds = 2000;
  std::atomic<std::uint64_t> removed{0};  // all keys up to this one are
  std::thread other([&] {
    const FdPair pipe = MakePipe();
    for (std::uint64_t key = 1; key <= kRounds; ++key) {
      EXPECT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), key).ok());
      WriteByte(pipe.b);
      char byte;
      EXPECT_EQ(::read(pipe.a.get(), &byte, 1), 1);
      poller_->Remove(pipe.a.get());
      removed.store(key);
    }
    EXPECT_TRUE(poller_->Notify());
  });
  for (std::uint64_t before = 0; before < kRounds; before = removed.load()) {
    for (const auto& [key, ready] : Wait(-1)) {
      EXPECT_GT(key, before);
      EXPECT_TRUE(ready.readable());
    }
  }
  other.join();
  EXPECT_TRUE(Wait().empty());
}

// A child process that holds copies of all descriptors keeps nothing alive that the
// parent has removed, and takes no event away.
TEST_P(PollerTest, ForkedChildrenDoNotDisturb) {
  FdPair kept = MakePipe();
  FdPair gone = MakePipe();
  ASSERT_TRUE(poller_->Add(kept.a.get(), Interest::Read(), 1).ok());
  ASSERT_TRUE(poller_->Add(gone.a.get(), Interest::Read(), 2).ok());
  FdPair until = MakePipe();
  ASSERT_EQ(::fcntl(until.a.get(), F_SETFL, 0), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Holds its copies until the parent closes its end.
    until.b.Reset();
    char byte;
    ::_exit(::read(until.a.get(), &byte, 1) == 0 ? 0 : 1);
  }
  poller_->Remove(gone.a.get());
  gone.a.Reset();
  WriteByte(gone.b);  // the child still could read it
  WriteByte(kept.b);
  const Events events = Wait(kHangGuard);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.count(1), 1u);
  ASSERT_TRUE(poller_->Notify());
  EXPECT_TRUE(Wait(-1).empty());
  until.b.Reset();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  WriteByte(kept.b);
  EXPECT_TRUE(Wait(kHangGuard)[1].readable());
}

std::atomic<int> signals_handled{0};

// A signal ends neither a wait for ever nor one with a timeout (EINTR).
TEST_P(PollerTest, SignalsDoNotEndAWait) {
  struct sigaction action = {};
  action.sa_handler = [](int) { signals_handled.fetch_add(1); };
  struct sigaction previous = {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &previous), 0);
  for (const std::int64_t timeout : {std::int64_t{-1}, kHangGuard}) {
    std::atomic<bool> returned{false};
    std::thread waiter([&] {
      EXPECT_TRUE(Wait(timeout).empty());
      returned.store(true);
    });
    for (int i = 0; i < 20; ++i) {
      const int before = signals_handled.load();
      ASSERT_EQ(::pthread_kill(waiter.native_handle(), SIGUSR1), 0);
      while (signals_handled.load() == before) std::this_thread::yield();
      EXPECT_FALSE(returned.load());
    }
    ASSERT_TRUE(poller_->Notify());
    waiter.join();
  }
  ASSERT_EQ(::sigaction(SIGUSR1, &previous, nullptr), 0);
}

}  // namespace
}  // namespace home::reactor_internal
