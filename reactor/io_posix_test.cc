// What the operations of the completion layer do on POSIX systems only: descriptors in messages,
// named pipes, devices, forks.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::ReadSome;
using reactor_internal::WriteByte;

// Who asks about a socket has no turn to wait for.
TEST_P(IoTest, StatOfASocketThatWaits) {
  FdPair pair = MakeSocketPair();
  const UniqueFd peer = std::move(pair.b);
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  auto receive = IoRecv(socket, std::string(1, '\0'));
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  TurnOnce(*reactor_);
  EXPECT_TRUE(S_ISSOCK(Await(IoStat(socket)).value().mode));
  EXPECT_FALSE(Await(IoFsync(socket)).ok());
  WriteByte(peer);
  EXPECT_EQ(Await(std::move(receive)).count.value(), 1u);
}

TEST_P(IoTest, DescriptorsTravelInMessages) {
  using Strings = std::vector<std::string>;
  FdPair pair = MakeSocketPair();
  FdPair pipe = MakePipe();
  const IoFile a = Attach(pair.a);
  const IoFile b = Attach(pair.b);
  // The end of the pipe that writes.
  const int travels = pipe.b.get();
  std::string control(CMSG_SPACE(sizeof(int)), '\0');
  auto* header = reinterpret_cast<cmsghdr*>(control.data());
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &travels, sizeof(int));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Await(IoSendMsg(a, IoMessage(Strings{"x"}, control))).count.value(), 1u);
  }
  pipe.b.Reset();
  const auto receive = [&] {
    return IoRecvMsg(b, IoMessage(Strings{std::string(1, '\0')}, std::string(64, '\0')));
  };
  {
    auto received = Await(receive());
    ASSERT_EQ(received.message.control.size(), control.size());
    int arrived;
    std::memcpy(&arrived, CMSG_DATA(reinterpret_cast<cmsghdr*>(received.message.control.data())),
                sizeof(int));
    const UniqueFd writer(arrived);
    WriteByte(writer);
  }
  char byte;
  EXPECT_EQ(ReadSome(pipe.a, &byte, 1), 1);
  {
    // One that was received for nobody is closed: nobody writes any more.
    auto dropped = receive();
    CountingWaker counter;
    const Waker waker = counter.Make();
    home::Turn no_budget;
    Context cx(waker, &no_budget);
    EXPECT_TRUE(dropped.Poll(cx).pending());
    TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
    EXPECT_EQ(ReadSome(pipe.a, &byte, 1), -1);
  }
  EXPECT_EQ(ReadSome(pipe.a, &byte, 1), 0);
}

// Operations that end at once keep nobody from looking for what is ready, and the other way
// round.
TEST_P(IoTest, ReadinessBesideOperationsThatEndAtOnce) {
  UniqueFd fd = Await(IoOpen(io_, "/dev/zero", O_RDONLY)).value();
  const IoFile zeros = Attach(fd);
  const FdPair pipe = MakePipe();
  Registration registration = reactor_->Register(pipe.a.get(), Interest::Read()).value();
  CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  EXPECT_TRUE(registration.PollReady(Direction::kRead, cx).pending());
  WriteByte(pipe.b);
  int reads = 0;
  while (counter.wakes() == 0) {
    EXPECT_EQ(Await(IoRead(zeros, std::string(1, 'x'))).count.value(), 1u);
    ASSERT_LT(++reads, 100);
  }
}

// The system is at it when it is dropped: opening this blocks until somebody reads.
TEST_P(IoTest, DroppedWhileOpening) {
  const std::string path = Path("fifo");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  {
    auto dropped = IoOpen(io_, path, O_WRONLY);
    EXPECT_TRUE(PollOnce(dropped).pending());
    TurnOnce(*reactor_);
    if (GetParam().backend == IoBackend::kReadiness) pool_->AwaitBegun();
  }
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  // The pool does one thing after the other.
  EXPECT_FALSE(Await(IoOpen(io_, Path("none"), O_RDONLY)).ok());
  // Nobody writes: what was opened for nobody is closed.
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    char byte;
    return ReadSome(reader, &byte, 1) == 0;
  });
}

// A child has copies of all descriptors, and what a ring shares with the kernel. While it lives and
// when it ends, in whatever way, the parent's operations go on; and it may have a reactor of its
// own.
TEST_P(IoTest, ForkedChildrenDoNotDisturb) {
  FdPair pair = MakeSocketPair();
  FdPair other = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const IoFile other_socket = Attach(other.a);
  const auto make_own = [] {
    IoOptions options;
    options.backend = GetParam().backend;
    const auto own = Reactor::Create(std::move(options)).value();
    FdPair ends = MakeSocketPair();
    const IoFile a = IoFile::Attach(own->io(), std::move(ends.a)).value();
    const IoFile b = IoFile::Attach(own->io(), std::move(ends.b)).value();
    const bool sent = BlockOn(*own, IoSend(a, std::string("x"))).count.ok();
    return sent && BlockOn(*own, IoRecv(b, std::string(1, '\0'))).buffer == "x";
  };
  const std::function<void()> lives[] = {
      [] { ::_exit(0); },
      [] { std::exit(0); },
      [] { ::execl("/bin/sh", "sh", "-c", "exit 0", nullptr); },
      [&] { ::_exit(make_own() ? 0 : 1); },
  };
  for (const auto& live : lives) {
    CountingWaker counter;
    auto in_flight = IoRecv(socket, std::string(1, '\0'));
    EXPECT_TRUE(PollOnce(in_flight, counter).pending());
    TurnOnce(*reactor_);
    auto queued = IoRecv(other_socket, std::string(1, '\0'));
    EXPECT_TRUE(PollOnce(queued, counter).pending());
    FdPair until = MakePipe();
    ASSERT_EQ(::fcntl(until.a.get(), F_SETFL, 0), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      until.b.Reset();
      char byte;
      if (ReadSome(until.a, &byte, 1) == 0) live();
      ::_exit(2);
    }
    WriteByte(pair.b);
    EXPECT_EQ(Await(std::move(in_flight)).buffer, "x");
    auto later = IoRecv(socket, std::string(1, '\0'));
    EXPECT_TRUE(PollOnce(later, counter).pending());
    TurnOnce(*reactor_);
    until.b.Reset();
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    WriteByte(pair.b);
    WriteByte(other.b);
    EXPECT_EQ(Await(std::move(queued)).buffer, "x");
    EXPECT_EQ(Await(std::move(later)).buffer, "x");
    EXPECT_EQ(counter.alive(), 0);
  }
}

TEST_P(IoTest, APipeIsNoSourceOfMessages) {
  FdPair pipe = MakePipe();
  const IoFile reader = Attach(pipe.a);
  const IoBufferPool pool = IoBufferPool::Create(io_, 1, 10).value();
  IoRecvSource source = IoReceiveAll(reader, pool);
  const absl::Status unusable = Await(Next(source)).value().status();
  EXPECT_NE(unusable.message().find("receive from descriptor"), std::string::npos) << unusable;
  EXPECT_FALSE(Await(Next(source)).has_value());
  // The buffer is there again.
  FdPair pair = MakeSocketPair();
  IoRecvSource good = IoReceiveAll(Attach(pair.a), pool);
  WriteByte(pair.b);
  EXPECT_EQ(Await(Next(good)).value().value().view(), "x");
}

}  // namespace
}  // namespace home::testing
