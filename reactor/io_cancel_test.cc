// Operations of the completion layer that are dropped, at every point of their way, and
// reactors that are destroyed under them; on every engine.

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::ReadSome;
using reactor_internal::TcpListenerFd;
using reactor_internal::WriteSome;

TEST_P(IoTest, DroppedUnpolledDoesNothing) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  {
    auto dropped = IoRecv(socket, CountedBuffer(10, &alive));
  }
  {
    auto dropped = IoOpen(io_, Path("made"), O_RDWR | O_CREAT);
  }
  EXPECT_EQ(alive.load(), 0);
  TurnOnce(*reactor_);
  EXPECT_FALSE(Exists(Path("made")));
  EXPECT_EQ(Receive(socket), "x");
}

// Polled, but nobody has told the system yet.
TEST_P(IoTest, DroppedBeforeSubmission) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  TurnOnce(*reactor_);  // nobody sleeps in the poller: operations are queued
  CountingWaker counter;
  {
    auto dropped = IoRecv(socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
  }
  if (AsksAtOnce()) TurnUntilFreed(alive);
  EXPECT_EQ(alive.load(), 0);
  EXPECT_EQ(counter.alive(), 0);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  EXPECT_EQ(Receive(socket), "x");
}

TEST_P(IoTest, FileOperationDroppedBeforeSubmission) {
  TurnOnce(*reactor_);
  pool_->Pause();
  CountingWaker counter;
  {
    auto dropped = IoOpen(io_, Path("made"), O_RDWR | O_CREAT);
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  pool_->Resume();
  // What comes later is performed later.
  EXPECT_FALSE(Await(IoOpen(io_, Path("none"), O_RDONLY)).ok());
  EXPECT_FALSE(Exists(Path("made")));
}

TEST_P(IoTest, DroppedInFlight) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  {
    auto dropped = IoRecv(socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
    TurnOnce(*reactor_);
  }
  // The waker goes at once, the buffer when the system says that it is done with it.
  EXPECT_EQ(counter.alive(), 0);
  TurnUntilFreed(alive);
  EXPECT_EQ(counter.wakes(), 0);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  EXPECT_EQ(Receive(socket), "x");
}

// One of several on the same file: the others go on.
TEST_P(IoTest, DroppedAmongOthers) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  using Receiving = decltype(IoRecv(socket, CountedBuffer(1, &alive)));
  for (int victim = 0; victim < 3; ++victim) {
    std::vector<std::optional<Receiving>> receiving(3);
    for (auto& receive : receiving) {
      receive.emplace(IoRecv(socket, CountedBuffer(1, &alive)));
      EXPECT_TRUE(PollOnce(*receive, counter).pending());
    }
    TurnOnce(*reactor_);
    receiving[static_cast<std::size_t>(victim)].reset();
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      return alive.load() == 2;
    });
    ASSERT_EQ(WriteSome(pair.b, "ab", 2), 2);
    for (auto& receive : receiving) {
      if (receive) {
        EXPECT_EQ(Await(*std::move(receive)).count.value(), 1u);
      }
    }
  }
  TurnUntilFreed(alive);
  EXPECT_EQ(counter.alive(), 0);
}

TEST_P(IoTest, DroppedInFlightKeepsTheDescriptorOpenUntilTheEnd) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  std::optional<IoFile> socket = Attach(pair.a);
  {
    auto dropped = IoRecv(*socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(dropped).pending());
    TurnOnce(*reactor_);
    socket.reset();
    char byte;
    EXPECT_EQ(ReadSome(pair.b, &byte, 1), -1);  // EAGAIN: still open
  }
  TurnUntilFreed(alive);
  char byte;
  EXPECT_EQ(ReadSome(pair.b, &byte, 1), 0);
}

// Pitfall: a connection that was accepted for nobody leaks.
TEST_P(IoTest, DroppedWithAnAcceptedConnectionUnread) {
  TcpListenerFd listening;
  UniqueFd client = MakeTcpSocket();
  listening.ConnectNow(client);
  const IoFile listener = Attach(listening.fd);
  CountingWaker counter;
  {
    auto dropped = IoAccept(listener);
    // The result is there, and nobody fetches it.
    const Waker waker = counter.Make();
    home::Turn no_budget;
    Context cx(waker, &no_budget);
    EXPECT_TRUE(dropped.Poll(cx).pending());
    TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  }
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    char byte;
    return ReadSome(client, &byte, 1) == 0;
  });
}

TEST_P(IoTest, DroppedAcceptLeavesLaterConnections) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  const IoFile listener = Attach(listening.fd);
  {
    auto dropped = IoAccept(listener);
    EXPECT_TRUE(PollOnce(dropped).pending());
    TurnOnce(*reactor_);
  }
  TurnOnce(*reactor_);
  UniqueFd fd = MakeTcpSocket();
  const IoFile client = Attach(fd);
  EXPECT_TRUE(Await(IoConnect(client, address)).ok());
  EXPECT_TRUE(Await(IoAccept(listener)).ok());
}

TEST_P(IoTest, DroppedWhileConnecting) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  listening.Listen(0);
  UniqueFd first = MakeTcpSocket();
  EXPECT_TRUE(Await(IoConnect(Attach(first), address)).ok());
  // There is no room for a second: it gets no answer.
  UniqueFd second = MakeTcpSocket();
  std::optional<IoFile> socket = Attach(second);
  CountingWaker counter;
  {
    auto dropped = IoConnect(*socket, address);
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
    TurnOnce(*reactor_);
    TurnOnce(*reactor_);
    EXPECT_TRUE(PollOnce(dropped, counter).pending());
  }
  // The operation has let go of the socket.
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    return std::move(*socket).Detach().has_value();
  });
  EXPECT_EQ(counter.alive(), 0);
}

TEST_P(IoTest, DroppedPollsAndTimeouts) {
  FdPair pair = MakeSocketPair();
  std::optional<IoFile> socket = Attach(pair.a);
  CountingWaker counter;
  const auto never = std::chrono::steady_clock::time_point::max();
  for (const int turns : {0, 1}) {
    auto poll = IoPoll(*socket, Direction::kRead);
    auto timeout = IoTimeout(io_, never);
    EXPECT_TRUE(PollOnce(poll, counter).pending());
    EXPECT_TRUE(PollOnce(timeout, counter).pending());
    if (turns > 0) TurnOnce(*reactor_);
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_EQ(counter.wakes(), 0);
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    return std::move(*socket).Detach().has_value();
  });
}

// Closed once and only once, whenever the closing is dropped.
TEST_P(IoTest, DroppedCloseCloses) {
  for (const int turns : {0, 1, 2}) {
    FdPair pair = MakeSocketPair();
    {
      auto dropped = IoClose(io_, std::move(pair.a));
      if (turns >= 1) static_cast<void>(PollOnce(dropped).pending());
      if (turns >= 2) TurnOnce(*reactor_);
    }
    char byte = 0;
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      return ReadSome(pair.b, &byte, 1) == 0;
    });
  }
}

// -- Reactors that are destroyed --------------------------------------------------

TEST_P(IoTest, OperationsEndWithTheReactor) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  FdPair pipe = MakePipe();
  {
    const IoFile socket = Attach(pair.a);
    const IoFile reader = Attach(pipe.a);
    CountingWaker counter;
    auto in_flight = IoRecv(socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(in_flight, counter).pending());
    auto abandoned = std::make_optional(IoRead(reader, CountedBuffer(10, &alive)));
    EXPECT_TRUE(PollOnce(*abandoned, counter).pending());
    TurnOnce(*reactor_);
    abandoned.reset();
    auto queued = IoRecv(socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(queued, counter).pending());
    auto unpolled = IoRecv(socket, CountedBuffer(10, &alive));

    auto timeout = IoTimeout(io_, std::chrono::steady_clock::time_point::max());
    EXPECT_TRUE(PollOnce(timeout, counter).pending());

    reactor_.reset();
    EXPECT_EQ(counter.wakes(), 3);
    EXPECT_EQ(alive.load(), 3);
    for (auto* operation : {&in_flight, &queued, &unpolled}) {
      auto result = PollOnce(*operation, counter);
      ASSERT_TRUE(result.ready());
      EXPECT_EQ((*result).count.status().code(), absl::StatusCode::kCancelled)
          << (*result).count.status();
    }
    auto timed_out = PollOnce(timeout, counter);
    ASSERT_TRUE(timed_out.ready());
    EXPECT_EQ((*timed_out).code(), absl::StatusCode::kCancelled) << *timed_out;
    auto late_timeout = IoTimeout(io_, std::chrono::steady_clock::time_point::max());
    auto refused_timeout = PollOnce(late_timeout, counter);
    ASSERT_TRUE(refused_timeout.ready());
    EXPECT_EQ((*refused_timeout).code(), absl::StatusCode::kCancelled) << *refused_timeout;
    auto late = IoOpen(io_, Path("made"), O_RDWR | O_CREAT);
    auto refused = PollOnce(late, counter);
    ASSERT_TRUE(refused.ready());
    EXPECT_EQ((*refused).status().code(), absl::StatusCode::kCancelled);
    EXPECT_FALSE(Exists(Path("made")));
  }
  EXPECT_EQ(alive.load(), 0);
  char byte;
  EXPECT_EQ(ReadSome(pair.b, &byte, 1), 0);
}

TEST_P(IoTest, DroppedAfterTheReactor) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  {
    auto dropped = IoRecv(socket, CountedBuffer(10, &alive));
    EXPECT_TRUE(PollOnce(dropped).pending());
    TurnOnce(*reactor_);
    reactor_.reset();
  }
  EXPECT_EQ(alive.load(), 0);
}

}  // namespace
}  // namespace home::testing
