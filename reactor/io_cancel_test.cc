// Operations of the completion layer that are dropped amid others, and reactors that are destroyed
// under them; on every engine. (Each dropped at each point of its way: io_drop_test.cc.)

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
using reactor_internal::ReadSome;
using reactor_internal::WriteSome;

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
