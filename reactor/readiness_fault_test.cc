// Each system call of the readiness engine as it fails, is interrupted, would block after all,
// moves a part, and is under way when its operation is dropped.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/box_future.h"
#include "home/future/map.h"
#include "home/future/testing.h"
#include "home/reactor/io_fault_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::OpenDescriptors;
using reactor_internal::TcpListenerFd;

// How many bytes an operation moved; 0 of one that moves none.
absl::StatusOr<std::size_t> CountOf(const absl::Status& status) {
  if (!status.ok()) return status;
  return 0;
}
template <typename T>
absl::StatusOr<std::size_t> CountOf(const absl::StatusOr<T>& value) {
  return CountOf(value.status());
}
template <typename Buffer>
absl::StatusOr<std::size_t> CountOf(const IoResult<Buffer>& result) {
  return result.count;
}
template <typename Buffer>
absl::StatusOr<std::size_t> CountOf(const IoMessageResult<Buffer>& result) {
  return result.count;
}

using Counting = BoxFuture<absl::StatusOr<std::size_t>>;

template <typename F>
Counting Count(F operation) {
  return Map(std::move(operation), [](auto&& result) { return CountOf(result); });
}

// An operation, and the one call that it comes to.
struct CallRow {
  const char* name;
  SystemCall call;
  const char* said;  // what a Status calls it
  std::function<Counting()> start;
  // Of one that may have to wait: brings about its next edge.
  std::function<void()> edge = nullptr;
  int interruptions = 3;   // so many do not matter
  bool moves = false;      // six bytes, or fewer
  bool in_a_pool = false;  // where it may block
};

class ReadinessFaultTest : public IoFaultTest {
 protected:
  ReadinessFaultTest() : pair_(MakeSocketPair()) {
    socket_ = Attach(pair_.a);
    listening_.Listen(100);
    listener_ = Attach(listening_.fd);
    UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
    file_ = Attach(fd);
    EXPECT_EQ(Await(IoWrite(file_, std::string("abcdef"), 0)).count.value(), 6u);
  }

  std::vector<CallRow> Calls() {
    using Strings = std::vector<std::string>;
    const Strings parts = {"abcd", "ef"};
    const std::string whole = "abcdef";
    // By a call that never fails.
    const auto send = [this] { EXPECT_EQ(::sendto(pair_.b.get(), "abcdef", 6, 0, nullptr, 0), 6); };
    const auto connect = [this] {
      clients_.push_back(MakeTcpSocket());
      listening_.ConnectNow(clients_.back());
    };
    using enum SystemCall;
    return {
        {.name = "read",
         .call = kRead,
         .said = "read from descriptor",
         .start = [=, this] { return send(), Count(IoRead(socket_, whole)); },
         .edge = send,
         .moves = true},
        {.name = "readv",
         .call = kReadv,
         .said = "read from descriptor",
         .start = [=, this] { return send(), Count(IoReadV(socket_, parts)); },
         .edge = send,
         .moves = true},
        {.name = "recv",
         .call = kRecv,
         .said = "receive from descriptor",
         .start = [=, this] { return send(), Count(IoRecv(socket_, whole)); },
         .edge = send,
         .moves = true},
        {.name = "recvmsg",
         .call = kRecvmsg,
         .said = "receive from descriptor",
         .start = [=, this] { return send(), Count(IoRecvMsg(socket_, IoMessage(parts))); },
         .edge = send,
         .moves = true},
        {.name = "write",
         .call = kWrite,
         .said = "write to descriptor",
         .start = [=, this] { return Count(IoWrite(socket_, whole)); },
         .edge = send,
         .moves = true},
        {.name = "writev",
         .call = kWritev,
         .said = "write to descriptor",
         .start = [=, this] { return Count(IoWriteV(socket_, parts)); },
         .edge = send,
         .moves = true},
        {.name = "send",
         .call = kSend,
         .said = "send to descriptor",
         .start = [=, this] { return Count(IoSend(socket_, whole)); },
         .edge = send,
         .moves = true},
        {.name = "sendmsg",
         .call = kSendmsg,
         .said = "send to descriptor",
         .start = [=, this] { return Count(IoSendMsg(socket_, IoMessage(parts))); },
         .edge = send,
         .moves = true},
        {.name = "accept4",
         .call = kAccept4,
         .said = "accept from descriptor",
         .start = [=, this] { return connect(), Count(IoAccept(listener_)); },
         .edge = connect},
        {.name = "connect",
         .call = kConnect,
         .said = "connect descriptor",
         .start =
             [this] {
               UniqueFd fd = MakeTcpSocket();
               const IoAddress address(listening_.Address(), listening_.AddressSize());
               return Count(IoConnect(Attach(fd), address));
             },
         .interruptions = 1},
        {.name = "timerfd_create",
         .call = kTimerfdCreate,
         .said = "wait for a point in time",
         .start = [this] { return Count(IoTimeout(io_, {})); },
         .interruptions = 0},
        {.name = "pread",
         .call = kPread,
         .said = "read from descriptor",
         .start = [=, this] { return Count(IoRead(file_, whole, 0)); },
         .moves = true,
         .in_a_pool = true},
        {.name = "preadv",
         .call = kPreadv,
         .said = "read from descriptor",
         .start = [=, this] { return Count(IoReadV(file_, parts, 0)); },
         .moves = true,
         .in_a_pool = true},
        {.name = "pwrite",
         .call = kPwrite,
         .said = "write to descriptor",
         .start = [=, this] { return Count(IoWrite(file_, whole, 0)); },
         .moves = true,
         .in_a_pool = true},
        {.name = "pwritev",
         .call = kPwritev,
         .said = "write to descriptor",
         .start = [=, this] { return Count(IoWriteV(file_, parts, 0)); },
         .moves = true,
         .in_a_pool = true},
        {.name = "fsync",
         .call = kFsync,
         .said = "flush descriptor",
         .start = [this] { return Count(IoFsync(file_)); },
         .in_a_pool = true},
        {.name = "fdatasync",
         .call = kFdatasync,
         .said = "flush descriptor",
         .start = [this] { return Count(IoFsync(file_, /*data_only=*/true)); },
         .in_a_pool = true},
        {.name = "statx of a file",
         .call = kStatx,
         .said = "look at descriptor",
         .start = [this] { return Count(IoStat(file_)); },
         .in_a_pool = true},
        {.name = "statx of a path",
         .call = kStatx,
         .said = "look at /dev/null",
         .start = [this] { return Count(IoStat(io_, "/dev/null")); },
         .in_a_pool = true},
        {.name = "openat",
         .call = kOpenat,
         .said = "open /dev/null",
         .start = [this] { return Count(IoOpen(io_, "/dev/null", O_RDWR)); },
         .in_a_pool = true},
        {.name = "close",
         .call = kClose,
         .said = "close descriptor",
         .start = [this] { return Count(IoClose(io_, UniqueFd(::dup(pair_.b.get())))); },
         .interruptions = 1,
         .in_a_pool = true},
    };
  }

  // Each operation has the engine, and so has each of the three files.
  const long references_ = io_.use_count() + 3;
  FdPair pair_;
  IoFile socket_;
  TcpListenerFd listening_;
  IoFile listener_;
  IoFile file_;
  std::vector<UniqueFd> clients_;
};

TEST_P(ReadinessFaultTest, EachCallFails) {
  for (const CallRow& row : Calls()) {
    SCOPED_TRACE(row.name);
    const std::size_t before = OpenDescriptors();
    for (const int error : {EIO, ENOMEM, EMFILE, ECONNABORTED}) {
      FailNext(row.call, error);
      const absl::Status failed = Await(row.start()).status();
      EXPECT_EQ(failed.code(), absl::ErrnoToStatus(error, "").code()) << failed;
      EXPECT_NE(failed.message().find(row.said), std::string::npos) << failed;
      EXPECT_EQ(FailuresLeft(row.call), 0);
    }
    // And the next one is as if nothing had been.
    EXPECT_TRUE(Await(row.start()).ok());
    clients_.clear();
    EXPECT_EQ(OpenDescriptors(), before);
  }
}

TEST_P(ReadinessFaultTest, EachCallIsInterrupted) {
  for (const CallRow& row : Calls()) {
    SCOPED_TRACE(row.name);
    FailNext(row.call, EINTR, row.interruptions);
    const absl::Status passed = Await(row.start()).status();
    EXPECT_TRUE(passed.ok()) << passed;
    EXPECT_EQ(FailuresLeft(row.call), 0);
  }
}

// What would block although the descriptor was ready waits for the next edge.
TEST_P(ReadinessFaultTest, EachCallFindsThatItWouldBlockAfterAll) {
  for (const CallRow& row : Calls()) {
    if (row.edge == nullptr) continue;
    SCOPED_TRACE(row.name);
    FailNext(row.call, EAGAIN, 2);
    CountingWaker counter;
    Counting operation = row.start();
    static_cast<void>(PollOnce(operation, counter));
    while (FailuresLeft(row.call) > 0) {
      row.edge();
      TurnOnce(*reactor_);
    }
    row.edge();
    EXPECT_TRUE(Await(std::move(operation)).ok());
    EXPECT_EQ(counter.alive(), 0);
  }
}

// A connection that has no room for now (a socket of a name says so) would wait for ever.
TEST_P(ReadinessFaultTest, NoConnectionForNow) {
  FailNext(SystemCall::kConnect, EAGAIN);
  UniqueFd fd = MakeTcpSocket();
  const IoAddress address(listening_.Address(), listening_.AddressSize());
  EXPECT_EQ(Await(IoConnect(Attach(fd), address)).code(), absl::ErrnoToStatus(EAGAIN, "").code());
}

TEST_P(ReadinessFaultTest, Partial) {
  transfer_limit.store(3);
  for (const CallRow& row : Calls()) {
    SCOPED_TRACE(row.name);
    if (row.moves) {
      EXPECT_EQ(Await(row.start()).value(), 3u);
    }
  }
}

// The system is at it when it is dropped, and does what it was asked for.
TEST_P(ReadinessFaultTest, DroppedWhileAThreadOfThePoolIsAtIt) {
  const std::size_t before = OpenDescriptors();
  for (const CallRow& row : Calls()) {
    if (!row.in_a_pool) continue;
    SCOPED_TRACE(row.name);
    Hold(row.call);
    CountingWaker counter;
    {
      Counting dropped = row.start();
      EXPECT_TRUE(PollOnce(dropped, counter).pending());
      AwaitHeld(row.call);
    }
    EXPECT_EQ(counter.alive(), 0);
    EXPECT_GT(io_.use_count(), references_);
    Release(row.call);
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      return io_.use_count() == references_;
    });
    EXPECT_EQ(OpenDescriptors(), before);
  }
}

// The timer has a descriptor, and finds no room in the poller.
TEST_P(ReadinessFaultTest, TimersThatThePollerRefuses) {
  const std::size_t before = OpenDescriptors();
  FailNext(SystemCall::kEpollCtl, ENOSPC);
  const absl::Status refused = Await(IoTimeout(io_, {}));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(OpenDescriptors(), before);
}

// Also one that would block although there is room and data: it is tried again.
TEST_P(ReadinessFaultTest, Splices) {
  FdPair pipe = MakePipe();
  FdPair pair = MakeSocketPair();
  const IoFile writer = Attach(pipe.b);
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(::write(pair.b.get(), "abcdefghi", 9), 9);
  transfer_limit.store(3);
  for (const int error : {EINTR, EAGAIN}) {
    FailNext(SystemCall::kSplice, error, 3);
    EXPECT_EQ(Await(IoSplice(socket, writer, 6)).value(), 3u);
    EXPECT_EQ(FailuresLeft(SystemCall::kSplice), 0);
  }
  FailNext(SystemCall::kSplice, ENOMEM);
  EXPECT_EQ(Await(IoSplice(socket, writer, 6)).status().code(),
            absl::ErrnoToStatus(ENOMEM, "").code());
}

// A pool that closes drops what it was given.
TEST_P(ReadinessFaultTest, ThePoolRunsNothing) {
  pool_->Pause();
  CountingWaker counter;
  auto open = IoOpen(io_, Path("made"), O_RDWR | O_CREAT);
  EXPECT_TRUE(PollOnce(open, counter).pending());
  pool_->DropAll();
  EXPECT_EQ(counter.wakes(), 1);
  auto cancelled = PollOnce(open, counter);
  ASSERT_TRUE(cancelled.ready());
  EXPECT_EQ((*cancelled).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(Exists(Path("made")));
}

INSTANTIATE_TEST_SUITE_P(All, ReadinessFaultTest, ::testing::ValuesIn(Only("readiness")),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
