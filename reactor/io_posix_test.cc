// What the operations of the completion layer do on POSIX systems only: descriptors in messages,
// named pipes, devices.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
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
    return IoRecvMsg(b, IoMessage(Strings{std::string(1, '\0')}, std::string(64, '\0')),
                     MSG_CMSG_CLOEXEC);
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
