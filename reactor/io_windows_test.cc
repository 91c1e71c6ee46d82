// What the completion layer does on Windows in its own way: positions that the engine keeps,
// handles that can't be attached, timeouts by the port's alarm, operations of several steps.

#include "home/reactor/io_system.h"
//
#include <windows.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakeSocketPair;
using reactor_internal::MakeUdpSocket;

using Strings = std::vector<std::string>;

// All are started before the first ends: each takes its turn, in that order.
TEST_P(IoTest, OperationsAtThePositionTakeTurns) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  constexpr int kMany = 50;
  CountingWaker counter;
  std::vector<decltype(IoWrite(file, std::string()))> writes;
  for (int i = 0; i < kMany; ++i) {
    writes.push_back(IoWrite(file, std::string(2, static_cast<char>('a' + i % 26))));
    EXPECT_TRUE(PollOnce(writes.back(), counter).pending());
  }
  for (auto& write : writes) EXPECT_EQ(Await(std::move(write)).count.value(), 2u);
  const std::string all = Await(IoRead(file, std::string(1000, '\0'), 0)).buffer;
  for (int i = 0; i < kMany; ++i) {
    EXPECT_EQ(all[static_cast<std::size_t>(2 * i)], static_cast<char>('a' + i % 26));
  }
}

TEST_P(IoTest, DroppedWhileItWaitsForItsTurn) {
  std::atomic<int> alive{0};
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  std::optional<IoFile> file = Attach(fd);
  CountingWaker counter;
  auto first = IoWrite(*file, std::string("a"));
  auto dropped = std::make_optional(IoWrite(*file, CountedBuffer(1, &alive)));
  auto last = IoWrite(*file, std::string("b"));
  EXPECT_TRUE(PollOnce(first, counter).pending());
  EXPECT_TRUE(PollOnce(*dropped, counter).pending());
  EXPECT_TRUE(PollOnce(last, counter).pending());
  dropped.reset();
  EXPECT_EQ(alive.load(), 0);
  EXPECT_EQ(Await(std::move(first)).count.value(), 1u);
  EXPECT_EQ(Await(std::move(last)).count.value(), 1u);
  EXPECT_EQ(Await(IoRead(*file, std::string(10, '\0'), 0)).buffer.substr(0, 2), "ab");
}

TEST_P(IoTest, WaitingForTheirTurnAtTheEndOfTheReactor) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  CountingWaker counter;
  auto first = IoWrite(file, std::string("a"));
  auto second = IoWrite(file, std::string("b"));
  EXPECT_TRUE(PollOnce(first, counter).pending());
  EXPECT_TRUE(PollOnce(second, counter).pending());
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_TRUE(PollOnce(first).ready());
  auto result = PollOnce(second);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).count.status().code(), absl::StatusCode::kCancelled);
}

TEST_P(IoTest, AppendsWhateverThePosition) {
  {
    UniqueFd fd = Await(IoOpen(io_, Path("file"), O_WRONLY | O_CREAT)).value();
    EXPECT_EQ(Await(IoWrite(Attach(fd), std::string("abc"))).count.value(), 3u);
  }
  {
    UniqueFd fd = Await(IoOpen(io_, Path("file"), O_WRONLY | O_APPEND)).value();
    EXPECT_EQ(Await(IoWrite(Attach(fd), std::string("def"), 0)).count.value(), 3u);
  }
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDONLY)).value();
  EXPECT_EQ(Await(IoRead(Attach(fd), std::string(6, '\0'))).buffer, "abcdef");
  EXPECT_FALSE(Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT | O_EXCL)).ok());
  UniqueFd empty = Await(IoOpen(io_, Path("file"), O_RDWR | O_TRUNC)).value();
  EXPECT_EQ(Await(IoStat(Attach(empty))).value().size, 0u);
}

// One buffer of a file after the other, up to the end.
TEST_P(IoTest, SeveralBuffersEndWithTheFile) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  EXPECT_EQ(Await(IoWriteV(file, Strings{"ab", "cd", ""})).count.value(), 4u);
  const Strings room(4, std::string(2, '\0'));
  EXPECT_EQ(Await(IoReadV(file, room, 0)).count.value(), 4u);
  EXPECT_EQ(Await(IoReadV(file, room, 1)).count.value(), 3u);
  EXPECT_EQ(Await(IoReadV(file, room, 4)).count.value(), 0u);
  EXPECT_EQ(Await(IoReadV(file, Strings(), 0)).count.value(), 0u);
  // The position is where the first one ended.
  EXPECT_EQ(Await(IoWriteV(file, Strings{"e", "f"})).count.value(), 2u);
  EXPECT_EQ(Await(IoReadV(file, room, 0)).count.value(), 6u);
}

TEST_P(IoTest, WhatCannotBeAttached) {
  FdPair pair = MakeSocketPair();
  const UniqueFd copy = reactor_internal::Duplicate(pair.a.get());
  const IoFile socket = Attach(pair.a);
  const auto other = Reactor::Create().value();
  std::optional<UniqueFd> detached;
  {
    IoFile again = Attach(pair.b);
    detached = std::move(again).Detach();
  }
  EXPECT_EQ(IoFile::Attach(other->io(), *std::move(detached)).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Opened for calls that block.
  wchar_t program[MAX_PATH];
  ASSERT_NE(GetModuleFileNameW(nullptr, program, MAX_PATH), 0u);
  const HANDLE file = CreateFileW(program, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                                  FILE_ATTRIBUTE_NORMAL, nullptr);
  ASSERT_NE(file, INVALID_HANDLE_VALUE);
  EXPECT_EQ(IoFile::Attach(io_, UniqueFd(static_cast<int>(reinterpret_cast<std::intptr_t>(file))))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(IoTest, WhatIsNotThere) {
  FdPair pair = MakeSocketPair();
  const IoFile a = Attach(pair.a);
  const IoFile b = Attach(pair.b);
  EXPECT_EQ(Await(IoSend(b, std::string("x"))).count.value(), 1u);
  EXPECT_EQ(Await(IoSplice(a, b, 1 << 10)).status().code(), absl::StatusCode::kUnimplemented);
}

// What does not fit into the room of a datagram is lost, and that is no error.
TEST_P(IoTest, DatagramsAreCut) {
  sockaddr_in a_name;
  sockaddr_in b_name;
  UniqueFd a_fd = MakeUdpSocket(&a_name);
  UniqueFd b_fd = MakeUdpSocket(&b_name);
  const IoFile a = Attach(a_fd);
  const IoFile b = Attach(b_fd);
  const IoAddress to_b(reinterpret_cast<sockaddr*>(&b_name), sizeof(b_name));
  EXPECT_TRUE(Await(IoConnect(a, to_b)).ok());
  // One that waits, and one that finds the data there.
  for (const bool waits : {true, false}) {
    auto receive = IoRecv(b, std::string(2, '\0'));
    CountingWaker counter;
    if (waits) {
      EXPECT_TRUE(PollOnce(receive, counter).pending());
    }
    EXPECT_EQ(Await(IoSend(a, std::string("abcd"))).count.value(), 4u);
    if (!waits) TurnOnce(*reactor_);
    const IoResult<std::string> received = Await(std::move(receive));
    EXPECT_EQ(received.count.value(), 2u);
    EXPECT_EQ(received.buffer, "ab");
  }
}

TEST_P(IoTest, MessagesOfAConnection) {
  FdPair pair = MakeSocketPair();
  const IoFile a = Attach(pair.a);
  const IoFile b = Attach(pair.b);
  EXPECT_EQ(Await(IoSendMsg(a, IoMessage(Strings{"one", "two"}))).count.value(), 6u);
  const auto received =
      Await(IoRecvMsg(b, IoMessage(Strings{std::string(2, '\0'), std::string(4, '\0')})));
  EXPECT_EQ(received.count.value(), 6u);
  EXPECT_EQ(received.message.buffers, (Strings{"on", "etwo"}));
  EXPECT_EQ(received.message.peer.size, 0);
  EXPECT_FALSE(Await(IoSendMsg(a, IoMessage(Strings{"x"}, std::string(64, '\0')))).count.ok());
}

// -- Timeouts ----------------------------------------------------------------------

// The poller sleeps without end, or until another timeout, when one that is earlier is started.
TEST_P(IoTest, TimeoutsStartedWhileThePollerSleeps) {
  CountingWaker late_counter;
  auto late = IoTimeout(io_, std::chrono::steady_clock::now() + std::chrono::hours(1));
  for (const bool beside : {false, true}) {
    if (beside) {
      EXPECT_TRUE(PollOnce(late, late_counter).pending());
    }
    std::atomic<bool> done{false};
    std::thread other([&] {
      CountingWaker counter;
      auto timeout =
          IoTimeout(io_, std::chrono::steady_clock::now() + std::chrono::milliseconds(5));
      EXPECT_TRUE(PollOnce(timeout, counter).pending());
      while (counter.wakes() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_TRUE(PollOnce(timeout, counter).ready());
      done.store(true);
      reactor_->Wake();
    });
    TurnUntil(*reactor_, [&] { return done.load(); });
    other.join();
  }
  EXPECT_EQ(late_counter.wakes(), 0);
}

TEST_P(IoTest, ManyTimeouts) {
  const auto start = std::chrono::steady_clock::now();
  CountingWaker counter;
  std::vector<decltype(IoTimeout(io_, start))> timeouts;
  for (int i = 0; i < 40; ++i) {
    timeouts.push_back(IoTimeout(io_, start + std::chrono::milliseconds(i * 7 % 40)));
    EXPECT_TRUE(PollOnce(timeouts.back(), counter).pending());
  }
  // Every other one is dropped.
  for (std::size_t i = 0; i < timeouts.size(); i += 2) {
    const auto dropped = std::move(timeouts[i]);
  }
  for (std::size_t i = 1; i < timeouts.size(); i += 2) {
    EXPECT_TRUE(Await(std::move(timeouts[i])).ok());
    EXPECT_GE(std::chrono::steady_clock::now(), start + std::chrono::milliseconds(i * 7 % 40));
  }
}

}  // namespace
}  // namespace home::testing
