// What the operations of the completion layer do, on every engine.

#include <chrono>
#include <cstring>
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

using reactor_internal::ClosingEndsBothDirections;
using reactor_internal::IsInherited;
using reactor_internal::IsOpen;
using reactor_internal::MakePipe;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::MakeUdpSocket;
using reactor_internal::TcpListenerFd;
using reactor_internal::WriteSome;

TEST_P(IoTest, Files) {
  const std::string path = Path("file");
  UniqueFd fd = Await(IoOpen(io_, path, O_RDWR | O_CREAT, 0640)).value();
  EXPECT_FALSE(IsInherited(fd.get()));
  IoFile file = Attach(fd);
  EXPECT_EQ(Await(IoWrite(file, std::string("hello world"), 0)).count.value(), 11u);
  EXPECT_EQ(Await(IoWrite(file, std::string("W"), 6)).count.value(), 1u);
  EXPECT_TRUE(Await(IoFsync(file)).ok());
  EXPECT_TRUE(Await(IoFsync(file, /*data_only=*/true)).ok());
  IoResult<std::string> read = Await(IoRead(file, std::string(100, '\0'), 4));
  ASSERT_TRUE(read.count.ok()) << read.count.status();
  EXPECT_EQ(read.buffer.substr(0, *read.count), "o World");
  EXPECT_EQ(Await(IoRead(file, std::string(100, '\0'), 11)).count.value(), 0u);

  const IoStats by_file = Await(IoStat(file)).value();
  const IoStats by_path = Await(IoStat(io_, path)).value();
  EXPECT_EQ(by_file.size, 11u);
  EXPECT_EQ(by_file.inode, by_path.inode);
  EXPECT_TRUE(S_ISREG(by_path.mode));

  std::optional<UniqueFd> detached = std::move(file).Detach();
  ASSERT_TRUE(detached.has_value());
  const int number = detached->get();
  EXPECT_TRUE(Await(IoClose(io_, *std::move(detached))).ok());
  EXPECT_FALSE(IsOpen(number));
}

TEST_P(IoTest, FilesHaveACurrentPosition) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  EXPECT_EQ(Await(IoWrite(file, std::string("abc"))).count.value(), 3u);
  EXPECT_EQ(Await(IoWrite(file, std::string("def"))).count.value(), 3u);
  EXPECT_EQ(Await(IoRead(file, std::string(10, '\0'))).count.value(), 0u);
  EXPECT_EQ(Await(IoRead(file, std::string(10, '\0'), 2)).count.value(), 4u);
}

TEST_P(IoTest, SeveralBuffers) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  std::vector<std::string> parts = {"one", "", "two"};
  EXPECT_EQ(Await(IoWriteV(file, parts, 0)).count.value(), 6u);
  std::vector<std::string> room = {std::string(2, '\0'), std::string(10, '\0')};
  IoResult<std::vector<std::string>> read = Await(IoReadV(file, room, 0));
  ASSERT_EQ(read.count.value(), 6u);
  EXPECT_EQ(read.buffer[0], "on");
  EXPECT_EQ(read.buffer[1].substr(0, 4), "etwo");
}

TEST_P(IoTest, Connections) {
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  UniqueFd fd = MakeTcpSocket();
  const IoFile client = Attach(fd);
  const IoAddress address(listening.Address(), listening.AddressSize());
  EXPECT_TRUE(Await(IoConnect(client, address)).ok());
  IoAccepted accepted = Await(IoAccept(listener)).value();
  EXPECT_EQ(accepted.peer.storage.ss_family, AF_INET);
  EXPECT_EQ(accepted.peer.size, sizeof(sockaddr_in));
  EXPECT_FALSE(IsInherited(accepted.socket.get()));
  IoFile server = Attach(accepted.socket);
  EXPECT_EQ(Await(IoSend(client, std::string("ping"))).count.value(), 4u);
  EXPECT_EQ(Receive(server), "ping");
  // Looking does not take it away.
  EXPECT_EQ(Await(IoSend(server, std::string("pong"))).count.value(), 4u);
  EXPECT_EQ(Await(IoRecv(client, std::string(1, '\0'), MSG_PEEK)).count.value(), 1u);
  EXPECT_EQ(Receive(client), "pong");
  server = IoFile();
  EXPECT_EQ(Receive(client), "");
}

TEST_P(IoTest, Datagrams) {
  using Strings = std::vector<std::string>;
  sockaddr_in a_name;
  sockaddr_in b_name;
  UniqueFd a_fd = MakeUdpSocket(&a_name);
  UniqueFd b_fd = MakeUdpSocket(&b_name);
  const IoAddress a_address(reinterpret_cast<sockaddr*>(&a_name), sizeof(a_name));
  const IoAddress b_address(reinterpret_cast<sockaddr*>(&b_name), sizeof(b_name));
  const IoFile a = Attach(a_fd);
  const IoFile b = Attach(b_fd);
  EXPECT_EQ(Await(IoSendMsg(a, IoMessage(Strings{"one", "two"}, "", b_address))).count.value(), 6u);
  auto received =
      Await(IoRecvMsg(b, IoMessage(Strings{std::string(2, '\0'), std::string(3, '\0')})));
  EXPECT_EQ(received.count.value(), 5u);
  EXPECT_EQ(received.message.buffers, (Strings{"on", "etw"}));
  EXPECT_NE(received.message.flags & MSG_TRUNC, 0);
  ASSERT_EQ(received.message.peer.size, a_address.size);
  EXPECT_EQ(std::memcmp(&received.message.peer.storage, &a_address.storage, a_address.size), 0);
}

// Each kind of operation that has to wait first.
TEST_P(IoTest, OperationsWait) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  const IoFile listener = Attach(listening.fd);
  CountingWaker counter;
  auto accept = IoAccept(listener);
  EXPECT_TRUE(PollOnce(accept, counter).pending());
  TurnOnce(*reactor_);
  UniqueFd fd = MakeTcpSocket();
  const IoFile client = Attach(fd);
  EXPECT_TRUE(Await(IoConnect(client, address)).ok());
  IoAccepted accepted = Await(std::move(accept)).value();
  const IoFile server = Attach(accepted.socket);

  auto receive = IoRecv(server, std::string(100, '\0'));
  EXPECT_TRUE(PollOnce(receive, counter).pending());
  TurnOnce(*reactor_);
  EXPECT_EQ(Await(IoSend(client, std::string("ping"))).count.value(), 4u);
  EXPECT_EQ(Await(std::move(receive)).count.value(), 4u);
}

TEST_P(IoTest, PollWaitsForReadiness) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const ReadySet writable = Await(IoPoll(socket, Direction::kWrite)).value();
  EXPECT_TRUE(writable.writable());
  EXPECT_FALSE(writable.readable());
  auto poll = IoPoll(socket, Direction::kRead);
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(poll, counter).pending());
  TurnOnce(*reactor_);
  EXPECT_EQ(counter.wakes(), 0);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  EXPECT_TRUE(Await(std::move(poll)).value().readable());
  EXPECT_EQ(Receive(socket), "x");
  pair.b.Reset();
  const ReadySet closed = Await(IoPoll(socket, Direction::kRead)).value();
  EXPECT_TRUE(closed.read_closed());
  EXPECT_EQ(closed.write_closed(), ClosingEndsBothDirections());
}

TEST_P(IoTest, FilesAreAlwaysReady) {
  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_RDWR | O_CREAT)).value();
  const IoFile file = Attach(fd);
  EXPECT_TRUE(Await(IoPoll(file, Direction::kRead)).value().readable());
  EXPECT_TRUE(Await(IoPoll(file, Direction::kWrite)).value().writable());
}

TEST_P(IoTest, TimeoutsAreNeverEarly) {
  const auto start = std::chrono::steady_clock::now();
  for (const int microseconds : {-1'000'000, 0, 300, 2'500}) {
    const auto deadline = start + std::chrono::microseconds(microseconds);
    EXPECT_TRUE(Await(IoTimeout(io_, deadline)).ok());
    EXPECT_GE(std::chrono::steady_clock::now(), deadline);
  }
  EXPECT_TRUE(Await(IoTimeout(io_, std::chrono::steady_clock::time_point::min())).ok());
}

// A pipe that is full: the write ends when somebody reads.
TEST_P(IoTest, Pipes) {
  FdPair pipe = MakePipe();
  const std::string block(65536, 'x');
  std::size_t before = 0;
  for (;;) {
    const std::ptrdiff_t written = WriteSome(pipe.b, block.data(), block.size());
    if (written <= 0) break;
    before += static_cast<std::size_t>(written);
  }
  const IoFile reader = Attach(pipe.a);
  const IoFile writer = Attach(pipe.b);
  auto write = IoWrite(writer, block, 7);  // there are no positions: ignored
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(write, counter).pending());
  TurnOnce(*reactor_);
  std::size_t read = 0;
  while (read < before) read += Await(IoRead(reader, std::string(block))).count.value();
  EXPECT_GT(Await(std::move(write)).count.value(), 0u);
}

TEST_P(IoTest, SeveralAtOnceOnOneSocket) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  auto first = IoRecv(socket, std::string(1, '\0'));
  auto second = IoRecv(socket, std::string(1, '\0'));
  auto send = IoSend(socket, std::string("to you"));
  EXPECT_TRUE(PollOnce(first, counter).pending());
  EXPECT_TRUE(PollOnce(second, counter).pending());
  TurnOnce(*reactor_);
  EXPECT_EQ(Await(std::move(send)).count.value(), 6u);
  ASSERT_EQ(WriteSome(pair.b, "ab", 2), 2);
  const std::string got = Await(std::move(second)).buffer + Await(std::move(first)).buffer;
  EXPECT_TRUE(got == "ab" || got == "ba") << got;
}

TEST_P(IoTest, AFewEntriesAreEnoughForManyOperations) {
  Start(2);
  constexpr int kMany = 300;
  FdPair pipe = MakePipe();
  const IoFile reader = Attach(pipe.a);
  CountingWaker counter;
  std::vector<decltype(IoRead(reader, std::string()))> reads;
  for (int i = 0; i < kMany; ++i) {
    reads.push_back(IoRead(reader, std::string(1, '\0')));
    EXPECT_TRUE(PollOnce(reads.back(), counter).pending());
  }
  TurnOnce(*reactor_);
  // All end at once: more completions than there is room for.
  const std::string bytes(kMany, 'x');
  ASSERT_EQ(WriteSome(pipe.b, bytes.data(), bytes.size()), kMany);
  for (auto& read : reads) EXPECT_EQ(Await(std::move(read)).buffer, "x");
  EXPECT_EQ(counter.alive(), 0);
}

TEST_P(IoTest, Errors) {
  const absl::Status missing = Await(IoOpen(io_, Path("none"), O_RDONLY)).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("open " + Path("none")), std::string::npos) << missing;
  EXPECT_EQ(Await(IoStat(io_, Path("none"))).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(IoFile::Attach(io_, UniqueFd()).ok());

  UniqueFd fd = Await(IoOpen(io_, Path("file"), O_WRONLY | O_CREAT)).value();
  const IoFile file = Attach(fd);
  const absl::Status unreadable = Await(IoRead(file, std::string(1, '\0'))).count.status();
  EXPECT_NE(unreadable.message().find("read from descriptor"), std::string::npos) << unreadable;
  EXPECT_FALSE(Await(IoSend(file, std::string("x"))).count.ok());
  EXPECT_FALSE(Await(IoAccept(file)).ok());

  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  pair.b.Reset();
  if (ClosingEndsBothDirections()) {
    // An error, and no signal.
    EXPECT_EQ(Await(IoSend(socket, std::string("x"))).count.status().code(),
              absl::ErrnoToStatus(EPIPE, "").code());
  }

  TcpListenerFd listening;
  listening.fd.Reset();
  UniqueFd nobody = MakeTcpSocket();
  const absl::Status refused =
      Await(IoConnect(Attach(nobody), IoAddress(listening.Address(), listening.AddressSize())));
  EXPECT_EQ(refused.code(), absl::ErrnoToStatus(ECONNREFUSED, "").code());
  EXPECT_NE(refused.message().find("connect descriptor"), std::string::npos) << refused;
}

TEST_P(IoTest, BuffersComeBack) {
  std::atomic<int> alive{0};
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(WriteSome(pair.b, "abc", 3), 3);
  {
    IoResult<CountedBuffer> result = Await(IoRecv(socket, CountedBuffer(10, &alive)));
    EXPECT_EQ(result.count.value(), 3u);
    EXPECT_EQ(std::string(result.buffer.data(), 3), "abc");
    EXPECT_EQ(alive.load(), 1);
  }
  EXPECT_EQ(alive.load(), 0);
}

TEST_P(IoTest, OnlyTheLastHandleMayDetach) {
  FdPair pair = MakeSocketPair();
  const int number = pair.a.get();
  IoFile socket = Attach(pair.a);
  IoFile copy = socket;
  EXPECT_FALSE(std::move(copy).Detach().has_value());
  copy = IoFile();
  std::optional<UniqueFd> fd = std::move(socket).Detach();
  ASSERT_TRUE(fd.has_value());
  EXPECT_EQ(fd->get(), number);
  if (!CanAttachAgain()) return;
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  EXPECT_EQ(Receive(Attach(*fd)), "x");
}

// A leaf that has completed spends a step of the task's budget first.
TEST_P(IoTest, ResultsWaitForTheBudget) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  auto receive = IoRecv(socket, std::string(1, '\0'));
  CountingWaker counter;
  const Waker waker = counter.Make();
  home::Turn turn;
  Context cx(waker, &turn);
  EXPECT_TRUE(receive.Poll(cx).pending());
  TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  const int wakes = counter.wakes();
  EXPECT_TRUE(receive.Poll(cx).pending());
  EXPECT_EQ(counter.wakes(), wakes + 1);
  turn.budget = 1;
  EXPECT_TRUE(receive.Poll(cx).ready());
}

TEST_P(IoTest, StartedWhileThePollerSleeps) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  std::atomic<bool> done{false};
  std::thread other([&] {
    CountingWaker counter;
    auto receive = IoRecv(socket, std::string(1, '\0'));
    for (;;) {
      const int wakes = counter.wakes();
      if (PollOnce(receive, counter).ready()) break;
      while (counter.wakes() == wakes) std::this_thread::yield();
    }
    while (counter.alive() != 0) std::this_thread::yield();
    done.store(true);
    reactor_->Wake();
  });
  // Sleeps as long as it takes, and only what the other does can wake it.
  TurnUntil(*reactor_, [&] { return done.load(); });
  other.join();
}

// Pitfall: the kernel cancels what was submitted by a thread that ends.
TEST_P(IoTest, OperationsOutliveTheThreadThatStartedThem) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  CountingWaker counter;
  auto receive = IoRecv(socket, std::string(1, '\0'));
  std::thread([&] {
    EXPECT_TRUE(PollOnce(receive, counter).pending());
    TurnOnce(*reactor_);
  }).join();
  TurnOnce(*reactor_);
  ASSERT_EQ(WriteSome(pair.b, "x", 1), 1);
  EXPECT_EQ(Await(std::move(receive)).buffer, "x");
}

// The same of a connect that has been sent and not answered: it is not asked for twice.
TEST_P(IoTest, ConnectionsOutliveTheThreadThatStartedThem) {
  TcpListenerFd listening;
  const IoAddress address(listening.Address(), listening.AddressSize());
  listening.Listen(0);
  UniqueFd first = MakeTcpSocket();
  EXPECT_TRUE(Await(IoConnect(Attach(first), address)).ok());
  // There is no room for a second: it gets no answer, and asks again after a second.
  UniqueFd second = MakeTcpSocket();
  const IoFile socket = Attach(second);
  CountingWaker counter;
  auto connect = IoConnect(socket, address);
  std::thread([&] {
    EXPECT_TRUE(PollOnce(connect, counter).pending());
    TurnOnce(*reactor_);
  }).join();
  TurnOnce(*reactor_);
  const UniqueFd accepted = listening.Accept();
  EXPECT_TRUE(accepted);
  const absl::Status connected = Await(std::move(connect));
  EXPECT_TRUE(connected.ok()) << connected;
}

TEST_P(IoTest, PolledAfterReadyDies) {
  FdPair pair = MakeSocketPair();
  auto send = IoSend(Attach(pair.a), std::string("x"));
  while (PollOnce(send).pending()) TurnOnce(*reactor_);
  EXPECT_DEATH(static_cast<void>(PollOnce(send)), "polled after it was ready");
}

INSTANTIATE_TEST_SUITE_P(All, IoTest, ::testing::ValuesIn(IoTestBackends()),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
