// Splices, on every engine: what they move, what they wait for, and drops at every point.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;

class IoSpliceTest : public IoTest {
 protected:
  IoSpliceTest() : pipe_(MakePipe()), sockets_(MakeSocketPair()) {
    reader_ = Attach(pipe_.a);
    writer_ = Attach(pipe_.b);
    socket_ = Attach(sockets_.a);
  }

  // Fills the pipe to the brim, and says with how much.
  std::size_t FillPipe() {
    const int fd = writer_.fd();
    const int flags = ::fcntl(fd, F_GETFL);
    EXPECT_EQ(::fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    const std::string page(4096, 'x');
    std::size_t filled = 0;
    for (;;) {
      const ssize_t count = ::write(fd, page.data(), page.size());
      if (count < 0) break;
      filled += static_cast<std::size_t>(count);
    }
    EXPECT_EQ(::fcntl(fd, F_SETFL, flags), 0);
    return filled;
  }

  FdPair pipe_;
  FdPair sockets_;
  IoFile reader_;
  IoFile writer_;
  IoFile socket_;
};

TEST_P(IoSpliceTest, FromAFileThroughAPipeToASocket) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  EXPECT_EQ(Await(IoWrite(file, std::string("hello world"), 0)).count.value(), 11u);
  EXPECT_EQ(Await(IoSplice(file, writer_, 100, /*from_offset=*/6)).value(), 5u);
  EXPECT_EQ(Await(IoSplice(file, writer_, 100, /*from_offset=*/11)).value(), 0u);  // the end
  EXPECT_EQ(Await(IoSplice(reader_, socket_, 100)).value(), 5u);
  char bytes[10];
  ASSERT_EQ(::read(sockets_.b.get(), bytes, sizeof(bytes)), 5);
  EXPECT_EQ(std::string(bytes, 5), "world");
}

TEST_P(IoSpliceTest, FromASocketThroughAPipeToAFile) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  ASSERT_EQ(::write(sockets_.b.get(), "abcdef", 6), 6);
  EXPECT_EQ(Await(IoSplice(socket_, writer_, 4)).value(), 4u);
  EXPECT_EQ(Await(IoSplice(reader_, file, 3, kIoCurrentPosition, /*to_offset=*/2)).value(), 3u);
  const IoResult<std::string> read = Await(IoRead(file, std::string(10, '\0'), 0));
  ASSERT_EQ(read.count.value(), 5u);
  EXPECT_EQ(read.buffer.substr(2, 3), "abc");
}

TEST_P(IoSpliceTest, WaitsForData) {
  auto splice = IoSplice(socket_, writer_, 100);
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(splice, counter).pending());
  for (int i = 0; i < 3; ++i) TurnOnce(*reactor_);
  EXPECT_TRUE(PollOnce(splice, counter).pending());
  ASSERT_EQ(::write(sockets_.b.get(), "abc", 3), 3);
  EXPECT_EQ(Await(std::move(splice)).value(), 3u);
}

TEST_P(IoSpliceTest, WaitsForRoom) {
  const std::size_t filled = FillPipe();
  ASSERT_EQ(::write(sockets_.b.get(), "abc", 3), 3);
  auto splice = IoSplice(socket_, writer_, 100);
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(splice, counter).pending());
  for (int i = 0; i < 3; ++i) TurnOnce(*reactor_);
  EXPECT_TRUE(PollOnce(splice, counter).pending());
  std::size_t read = 0;
  while (read < filled) read += Await(IoRead(reader_, std::string(65536, '\0'))).count.value();
  EXPECT_EQ(Await(std::move(splice)).value(), 3u);
}

TEST_P(IoSpliceTest, Errors) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  const absl::Status no_pipe = Await(IoSplice(file, socket_, 10)).status();
  EXPECT_EQ(no_pipe.code(), absl::StatusCode::kInvalidArgument) << no_pipe;
  EXPECT_NE(no_pipe.message().find("splice from descriptor"), std::string::npos) << no_pipe;

  const auto other = Reactor::Create().value();
  const IoFile stranger = IoFile::Attach(other->io(), std::move(sockets_.b)).value();
  EXPECT_EQ(Await(IoSplice(stranger, writer_, 10)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(IoSpliceTest, TheEndIsNoBytes) {
  sockets_.b.Reset();
  EXPECT_EQ(Await(IoSplice(socket_, writer_, 10)).value(), 0u);
}

TEST_P(IoSpliceTest, DroppedAtEveryPointOfItsWay) {
  // Unpolled, before submission, in flight, and, with room but without data, waiting for either.
  for (const bool full : {false, true}) {
    if (full) FillPipe();
    for (int turns = -1; turns < 3; ++turns) {
      CountingWaker counter;
      {
        auto dropped = IoSplice(socket_, writer_, 100);
        if (turns >= 0) {
          EXPECT_TRUE(PollOnce(dropped, counter).pending());
        }
        for (int i = 0; i < turns; ++i) TurnOnce(*reactor_);
      }
      EXPECT_EQ(counter.alive(), 0);
    }
  }
  // It has let go of both, and taken nothing.
  IoFile socket = std::exchange(socket_, IoFile());
  IoFile writer = std::exchange(writer_, IoFile());
  std::optional<UniqueFd> fds[2];
  for (IoFile* file : {&socket, &writer}) {
    std::optional<UniqueFd>& fd = fds[file == &writer ? 1 : 0];
    TurnUntil(*reactor_, [&] {
      reactor_->Wake();
      fd = std::move(*file).Detach();
      return fd.has_value();
    });
  }
  ASSERT_EQ(::write(sockets_.b.get(), "x", 1), 1);
  socket_ = Attach(*fds[0]);
  EXPECT_EQ(Receive(socket_), "x");
}

// More than there is room for: on io_uring the kernel is in the middle of it.
TEST_P(IoSpliceTest, DroppedInTheMiddle) {
  const int small = 4096;
  ASSERT_EQ(::setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  const std::size_t filled = FillPipe();
  {
    auto dropped = IoSplice(reader_, socket_, filled);
    bool pending = PollOnce(dropped).pending();
    // Some of it has arrived.
    pollfd some = {.fd = sockets_.b.get(), .events = POLLIN, .revents = 0};
    while (::poll(&some, 1, 1) == 0) {
      ASSERT_TRUE(pending);
      TurnOnce(*reactor_);
      pending = PollOnce(dropped).pending();
    }
  }
  IoFile reader = std::exchange(reader_, IoFile());
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    return std::move(reader).Detach().has_value();
  });
}

TEST_P(IoSpliceTest, EndsWithTheReactor) {
  CountingWaker counter;
  auto splice = IoSplice(socket_, writer_, 100);
  EXPECT_TRUE(PollOnce(splice, counter).pending());
  TurnOnce(*reactor_);
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 1);
  auto cancelled = PollOnce(splice, counter);
  ASSERT_TRUE(cancelled.ready());
  EXPECT_EQ((*cancelled).status().code(), absl::StatusCode::kCancelled) << (*cancelled).status();
}

INSTANTIATE_TEST_SUITE_P(All, IoSpliceTest, ::testing::ValuesIn(IoTestBackends()),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
