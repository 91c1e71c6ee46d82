// What every Poller does with what only POSIX systems have: numbers given out anew on demand,
// pipes, shutdown of one's own reading, forks and signals.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/poller.h"
#include "home/reactor/poller_testing.h"

namespace home::reactor_internal {
namespace {

constexpr ReadySet kReadClosed(ReadySet::kReadClosed);
constexpr ReadySet kWriteClosed(ReadySet::kWriteClosed);
constexpr ReadySet kBothClosed(ReadySet::kReadClosed | ReadySet::kWriteClosed);
constexpr ReadySet kError(ReadySet::kError);

// A number that was closed and given out again is another descriptor.
TEST_P(PollerTest, DescriptorReuse) {
  FdPair first = MakePipe();
  const int number = first.a.get();
  ASSERT_TRUE(Add(number, Interest::Read(), 1).ok());
  WriteByte(first.b);
  poller_->Remove(number);
  const FdPair second = MakePipe();
  ASSERT_EQ(::dup2(second.a.get(), number), number);  // closes the first, too
  ASSERT_TRUE(Add(number, Interest::Read(), 2).ok());
  EXPECT_TRUE(Wait().empty());
  WriteByte(second.b);
  const Events events = Wait(kHangGuard);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.count(2), 1u);
}

TEST_P(PollerTest, HalfCloseOfOnesOwn) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  ASSERT_EQ(::shutdown(pair.a.get(), SHUT_RD), 0);
  EXPECT_FALSE(WaitFor(1, kReadClosed).write_closed());
}

TEST_P(PollerTest, HalfCloseAfterHalfCloseClosesBothDirections) {
  const FdPair pair = MakeTcpPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  WaitFor(1, kReadClosed);
  ASSERT_EQ(::shutdown(pair.a.get(), SHUT_WR), 0);
  WaitFor(1, kBothClosed);
}

TEST_P(PollerTest, PipeWithoutWriterIsReadClosed) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  pipe.b.Reset();
  WaitFor(1, kReadClosed);
}

// What no reader means, an error or the end, is the system's to say.
TEST_P(PollerTest, PipeWithoutReaderIsReported) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.b.get(), Interest::Write(), 1).ok());
  Wait(kHangGuard);
  pipe.a.Reset();
  WaitForAny(1, kError | kWriteClosed);
}

TEST_P(PollerTest, ErrorIsNotWokenByRoom) {
  FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.b.get(), Interest::Error(), 1).ok());
  EXPECT_TRUE(Wait().empty());
  pipe.a.Reset();
  WaitForAny(1, kError | kWriteClosed);
}

// A child process that holds copies of all descriptors keeps nothing alive that the
// parent has removed, and takes no event away.
TEST_P(PollerTest, ForkedChildrenDoNotDisturb) {
  FdPair kept = MakePipe();
  FdPair gone = MakePipe();
  ASSERT_TRUE(Add(kept.a.get(), Interest::Read(), 1).ok());
  ASSERT_TRUE(Add(gone.a.get(), Interest::Read(), 2).ok());
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

// Where the system removes them. Elsewhere what was on its way still comes.
TEST_P(PollerTest, ClosedDescriptorsAreSilent) {
  FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  WriteByte(pair.b);
  pair.a.Reset();
  pair.b.Reset();
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, FilesAndFoldersAreRefused) {
  for (const char* path : {"/bin/sh", "/"}) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file);
    EXPECT_EQ(Add(file.get(), Interest::Read(), 1).code(), absl::StatusCode::kPermissionDenied);
  }
}

}  // namespace
}  // namespace home::reactor_internal
