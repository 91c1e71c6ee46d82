// What every Poller does. One list of back ends, one set of tests.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/reactor/poller.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

constexpr std::int64_t kHangGuard = 60'000'000'000;

struct Backend {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Poller>>()> create;
};

struct Pair {
  UniqueFd a;
  UniqueFd b;
};

// `a` reads what `b` writes.
Pair MakePipe() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  return Pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Pair MakeSocketPair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  return Pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void WriteByte(const UniqueFd& fd) { ASSERT_EQ(::write(fd.get(), "x", 1), 1); }

class PollerTest : public ::testing::TestWithParam<Backend> {
 protected:
  PollerTest() : poller_(GetParam().create().value()) {}

  // All that is reported now, by key.
  std::map<std::uint64_t, ReadySet> Wait(std::int64_t timeout_ns = 0) {
    std::array<Poller::Event, 64> events;
    const std::size_t count = poller_->Wait(timeout_ns, absl::MakeSpan(events));
    std::map<std::uint64_t, ReadySet> result;
    for (std::size_t i = 0; i < count; ++i) {
      result[events[i].key] = result[events[i].key] | events[i].ready;
    }
    return result;
  }

  std::unique_ptr<Poller> poller_;
};

TEST_P(PollerTest, ReportsAnEdgeOnce) {
  const Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 7).ok());
  EXPECT_TRUE(Wait().empty());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[7].readable());
  EXPECT_TRUE(Wait().empty());
  // Still unread, and now more of it: a new edge.
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[7].readable());
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, ReportsWhatHoldsWhenAdded) {
  const Pair pair = MakeSocketPair();
  WriteByte(pair.b);
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kReadable | ReadySet::kWritable));
}

TEST_P(PollerTest, ReportsOnlyWhatIsOfInterest) {
  const Pair pair = MakeSocketPair();
  WriteByte(pair.b);
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::Write(), 1).ok());
  EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kWritable));
}

TEST_P(PollerTest, ReportsThatThereIsRoomAgain) {
  const Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.b.get(), Interest::Write(), 1).ok());
  EXPECT_TRUE(Wait(kHangGuard)[1].writable());
  std::vector<char> block(65536);
  while (::write(pipe.b.get(), block.data(), block.size()) > 0) {
  }
  Wait();
  EXPECT_TRUE(Wait().empty());
  while (::read(pipe.a.get(), block.data(), block.size()) > 0) {
  }
  EXPECT_TRUE(Wait(kHangGuard)[1].writable());
}

TEST_P(PollerTest, RemovedDescriptorsAreSilent) {
  const Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 1).ok());
  poller_->Remove(pipe.a.get());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, ReRegistrationReportsWhatHolds) {
  const Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 1).ok());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[1].readable());
  poller_->Remove(pipe.a.get());
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 2).ok());
  const std::map<std::uint64_t, ReadySet> events = Wait(kHangGuard);
  EXPECT_EQ(events.count(1), 0u);
  EXPECT_EQ(events.count(2), 1u);
}

// A number that was closed and given out again is another descriptor.
TEST_P(PollerTest, DescriptorReuse) {
  Pair first = MakePipe();
  const int number = first.a.get();
  ASSERT_TRUE(poller_->Add(number, Interest::Read(), 1).ok());
  WriteByte(first.b);
  poller_->Remove(number);
  const Pair second = MakePipe();
  ASSERT_EQ(::dup2(second.a.get(), number), number);  // closes the first, too
  ASSERT_TRUE(poller_->Add(number, Interest::Read(), 2).ok());
  EXPECT_TRUE(Wait().empty());
  WriteByte(second.b);
  const std::map<std::uint64_t, ReadySet> events = Wait(kHangGuard);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.count(2), 1u);
}

TEST_P(PollerTest, HalfClose) {
  const Pair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kWritable));
  ASSERT_EQ(::shutdown(pair.b.get(), SHUT_WR), 0);
  const ReadySet ready = Wait(kHangGuard)[1];
  EXPECT_TRUE(ready.read_closed());
  EXPECT_FALSE(ready.write_closed());
}

TEST_P(PollerTest, HangUpClosesBothDirections) {
  Pair pair = MakeSocketPair();
  ASSERT_TRUE(poller_->Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  Wait(kHangGuard);
  pair.b.Reset();
  const ReadySet ready = Wait(kHangGuard)[1];
  EXPECT_TRUE(ready.read_closed());
  EXPECT_TRUE(ready.write_closed());
}

TEST_P(PollerTest, PipeWithoutWriterIsReadClosed) {
  Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 1).ok());
  pipe.b.Reset();
  EXPECT_TRUE(Wait(kHangGuard)[1].read_closed());
}

TEST_P(PollerTest, PipeWithoutReaderIsAnError) {
  Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.b.get(), Interest::Write(), 1).ok());
  Wait(kHangGuard);
  pipe.a.Reset();
  EXPECT_TRUE(Wait(kHangGuard)[1].error());
}

TEST_P(PollerTest, AddReportsErrors) {
  const absl::Status closed = poller_->Add(-1, Interest::Read(), 1);
  EXPECT_FALSE(closed.ok());
  EXPECT_NE(closed.message().find("register descriptor -1"), std::string::npos) << closed;
  const Pair pipe = MakePipe();
  ASSERT_TRUE(poller_->Add(pipe.a.get(), Interest::Read(), 1).ok());
  EXPECT_EQ(poller_->Add(pipe.a.get(), Interest::Read(), 2).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_P(PollerTest, RemovingAClosedDescriptorIsHarmless) {
  Pair pipe = MakePipe();
  const int number = pipe.a.get();
  ASSERT_TRUE(poller_->Add(number, Interest::Read(), 1).ok());
  pipe.a.Reset();
  poller_->Remove(number);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, MoreEventsThanRoom) {
  std::vector<Pair> pipes;
  for (std::uint64_t i = 0; i < 100; ++i) {
    pipes.push_back(MakePipe());
    ASSERT_TRUE(poller_->Add(pipes.back().a.get(), Interest::Read(), i).ok());
    WriteByte(pipes.back().b);
  }
  std::map<std::uint64_t, ReadySet> all;
  while (all.size() < pipes.size()) {
    const std::map<std::uint64_t, ReadySet> some = Wait(kHangGuard);
    ASSERT_FALSE(some.empty());
    for (const auto& [key, ready] : some) EXPECT_TRUE(all.emplace(key, ready).second);
  }
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, NotifyEndsWaitsEarlierAndLater) {
  ASSERT_TRUE(poller_->Notify());
  EXPECT_TRUE(Wait(-1).empty());
  std::thread other([&] { EXPECT_TRUE(poller_->Notify()); });
  EXPECT_TRUE(Wait(-1).empty());
  other.join();
}

TEST_P(PollerTest, EveryNotifyIsAnEdgeOfItsOwn) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(poller_->Notify());
    EXPECT_TRUE(Wait(-1).empty());
  }
}

TEST_P(PollerTest, TimeoutIsNotShortened) {
  for (const std::int64_t timeout : {1'000, 300'000, 2'500'000}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(Wait(timeout).empty());
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::nanoseconds(timeout));
  }
}

TEST_P(PollerTest, VeryLongTimeoutsDoNotOverflow) {
  ASSERT_TRUE(poller_->Notify());
  EXPECT_TRUE(Wait(INT64_MAX).empty());
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

INSTANTIATE_TEST_SUITE_P(All, PollerTest,
                         ::testing::Values(Backend{"Platform", [] { return CreatePoller(); }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::reactor_internal
