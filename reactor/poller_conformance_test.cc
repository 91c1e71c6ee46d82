// What every Poller does: edges, registration, waiting. (poller_testing.h says
// where the rest of the suite is.)

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/poller.h"
#include "home/reactor/poller_testing.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

TEST_P(PollerTest, ReportsAnEdgeOnce) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 7).ok());
  EXPECT_TRUE(Wait().empty());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[7].readable());
  EXPECT_TRUE(Wait().empty());
  // Still unread, and now more of it: a new edge.
  poller_->Rearm(pipe.a.get(), Direction::kRead);
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[7].readable());
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, ReportsWhatHoldsWhenAdded) {
  const FdPair pair = MakeSocketPair();
  WriteByte(pair.b);
  ASSERT_TRUE(Add(pair.a.get(), Interest::ReadWrite(), 1).ok());
  constexpr ReadySet kBoth(ReadySet::kReadable | ReadySet::kWritable);
  EXPECT_EQ(WaitFor(1, kBoth), kBoth);
}

TEST_P(PollerTest, ReportsOnlyWhatIsOfInterest) {
  const FdPair pair = MakeSocketPair();
  WriteByte(pair.b);
  ASSERT_TRUE(Add(pair.a.get(), Interest::Write(), 1).ok());
  EXPECT_EQ(Wait(kHangGuard)[1], ReadySet(ReadySet::kWritable));
}

TEST_P(PollerTest, ReportsThatThereIsRoomAgain) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.b.get(), Interest::Write(), 1).ok());
  EXPECT_TRUE(Wait(kHangGuard)[1].writable());
  std::vector<char> block(65536);
  while (WriteSome(pipe.b, block.data(), block.size()) > 0) {
  }
  Wait();
  EXPECT_TRUE(Wait().empty());
  poller_->Rearm(pipe.b.get(), Direction::kWrite);
  while (ReadSome(pipe.a, block.data(), block.size()) > 0) {
  }
  EXPECT_TRUE(Wait(kHangGuard)[1].writable());
}

// What holds and goes on holding is no edge, however little of it was consumed.
TEST_P(PollerTest, PartialReadsAreNoEdge) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  ASSERT_EQ(WriteSome(pipe.b, "abc", 3), 3);
  EXPECT_TRUE(Wait(kHangGuard)[1].readable());
  char byte;
  ASSERT_EQ(ReadSome(pipe.a, &byte, 1), 1);
  EXPECT_TRUE(Wait().empty());
}

// Each connection is an edge, though the ones before are still in the queue.
TEST_P(PollerTest, ListenersReportEachConnection) {
  TcpListenerFd listener;
  ASSERT_TRUE(Add(listener.fd.get(), Interest::Read(), 1).ok());
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(MakeTcpSocket());
    poller_->Rearm(listener.fd.get(), Direction::kRead);
    listener.Connect(clients.back());
    EXPECT_TRUE(Wait(kHangGuard)[1].readable());
  }
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, DescriptorsWithTwoNumbersAreTwo) {
  const FdPair pipe = MakePipe();
  const UniqueFd twin = Duplicate(pipe.a.get());
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  ASSERT_TRUE(Add(twin.get(), Interest::Read(), 2).ok());
  WriteByte(pipe.b);
  Events both = Wait(kHangGuard);
  if (both.size() == 1) both.merge(Wait(kHangGuard));
  EXPECT_EQ(both.size(), 2u);
  poller_->Remove(pipe.a.get());
  poller_->Rearm(twin.get(), Direction::kRead);
  WriteByte(pipe.b);
  const Events events = Wait(kHangGuard);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.count(2), 1u);
}

TEST_P(PollerTest, TwoPollersDoNotTakeEachOthersEdges) {
  const std::unique_ptr<Poller> other = GetParam().create().value();
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  ASSERT_TRUE(other->Add(pipe.a.get(), Interest::Read(), 2).ok());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[1].readable());
  std::array<Poller::Event, 4> events;
  ASSERT_EQ(other->Wait(kHangGuard, absl::MakeSpan(events)), 1u);
  EXPECT_EQ(events[0].key, 2u);
}

TEST_P(PollerTest, RemovedDescriptorsAreSilent) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  poller_->Remove(pipe.a.get());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, ReRegistrationReportsWhatHolds) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(kHangGuard)[1].readable());
  poller_->Remove(pipe.a.get());
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 2).ok());
  const Events events = Wait(kHangGuard);
  EXPECT_EQ(events.count(1), 0u);
  EXPECT_EQ(events.count(2), 1u);
}

TEST_P(PollerTest, AddReportsErrors) {
  const absl::Status closed = Add(-1, Interest::Read(), 1);
  EXPECT_FALSE(closed.ok());
  EXPECT_NE(closed.message().find("register descriptor -1"), std::string::npos) << closed;
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), 1).ok());
  EXPECT_EQ(Add(pipe.a.get(), Interest::Read(), 2).code(), absl::StatusCode::kAlreadyExists);
}

TEST_P(PollerTest, FilesAreRefused) {
  const UniqueFd file = OpenRegularFile();
  EXPECT_EQ(Add(file.get(), Interest::Read(), 1).code(), absl::StatusCode::kPermissionDenied);
}

TEST_P(PollerTest, RemovingAClosedDescriptorIsHarmless) {
  FdPair pipe = MakePipe();
  const int number = pipe.a.get();
  ASSERT_TRUE(Add(number, Interest::Read(), 1).ok());
  pipe.a.Reset();
  poller_->Remove(number);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, InterestMayChangeByRegisteringAnew) {
  const FdPair pair = MakeSocketPair();
  ASSERT_TRUE(Add(pair.a.get(), Interest::Read(), 1).ok());
  EXPECT_TRUE(Wait().empty());
  poller_->Remove(pair.a.get());
  ASSERT_TRUE(Add(pair.a.get(), Interest::Write(), 2).ok());
  const Events events = Wait(kHangGuard);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.at(2), ReadySet(ReadySet::kWritable));
}

TEST_P(PollerTest, MoreEventsThanRoom) {
  std::vector<FdPair> pipes;
  for (std::uint64_t i = 0; i < 100; ++i) {
    pipes.push_back(MakePipe());
    ASSERT_TRUE(Add(pipes.back().a.get(), Interest::Read(), i).ok());
    WriteByte(pipes.back().b);
  }
  Events all;
  while (all.size() < pipes.size()) {
    const Events some = Wait(kHangGuard);
    ASSERT_FALSE(some.empty());
    for (const auto& [key, ready] : some) EXPECT_TRUE(all.emplace(key, ready).second);
  }
  EXPECT_TRUE(Wait().empty());
}

// As many as the process may have, up to 10,000: each is told from all others.
TEST_P(PollerTest, TenThousandDescriptors) {
  // Two for a pipe, and some are the process's already.
  const std::uint64_t count = (AllowDescriptors(20'100) - 100) / 2;
  std::vector<FdPair> pipes;
  for (std::uint64_t key = 0; key < count; ++key) {
    pipes.push_back(MakePipe());
    ASSERT_TRUE(pipes.back().b);
    ASSERT_TRUE(Add(pipes.back().a.get(), Interest::Read(), key).ok());
  }
  EXPECT_TRUE(Wait().empty());
  const auto ring = [&](std::uint64_t first, std::uint64_t step) {
    std::uint64_t rung = 0;
    for (std::uint64_t key = first; key < count; key += step, ++rung) {
      poller_->Rearm(pipes[key].a.get(), Direction::kRead);
      WriteByte(pipes[key].b);
    }
    Events all;
    while (all.size() < rung) {
      const Events some = Wait(kHangGuard);
      if (some.empty()) break;
      for (const auto& [key, ready] : some) {
        EXPECT_EQ(key % step, first);
        EXPECT_TRUE(all.emplace(key, ready).second) << key;
      }
    }
    EXPECT_EQ(all.size(), rung);
    EXPECT_TRUE(Wait().empty());
  };
  ring(7, 1000);
  ring(0, 1);
  for (std::uint64_t key = 0; key < count; key += 2) poller_->Remove(pipes[key].a.get());
  ring(1, 2);
}

TEST_P(PollerTest, ReservedKeyEndsAWaitAndIsNotReported) {
  const FdPair pipe = MakePipe();
  ASSERT_TRUE(Add(pipe.a.get(), Interest::Read(), Poller::kReservedKey).ok());
  WriteByte(pipe.b);
  EXPECT_TRUE(Wait(-1).empty());
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

INSTANTIATE_TEST_SUITE_P(All, PollerTest,
                         ::testing::Values(PollerBackend{"Platform",
                                                         [] { return CreatePoller(); }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::reactor_internal
