// Streams of connections and of bytes, on every engine: what they yield, what they leave alone, and
// drops at every point.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io_testing.h"

namespace home::testing {
namespace {

using reactor_internal::IsInherited;
using reactor_internal::MakeSocketPair;
using reactor_internal::MakeTcpSocket;
using reactor_internal::OpenRegularFile;
using reactor_internal::ReadSome;
using reactor_internal::ReceiveNow;
using reactor_internal::TcpListenerFd;
using reactor_internal::WriteSome;

static_assert(Stream<IoAcceptSource> && Stream<IoRecvSource>);
static_assert(IoMutableBuffer<IoChunk>);

class IoSourceTest : public IoTest {
 protected:
  IoBufferPool Pool(unsigned count, std::size_t size) {
    return IoBufferPool::Create(io_, count, size).value();
  }
  // Connects a socket to what listens here.
  UniqueFd Connect(TcpListenerFd& listening) {
    UniqueFd client = MakeTcpSocket();
    listening.ConnectNow(client);
    return client;
  }
  template <typename Source>
  bool Pending(Source& source, CountingWaker& counter) {
    auto next = Next(source);
    return PollOnce(next, counter).pending();
  }
  template <typename Source>
  typename Source::Item AwaitNext(Source& source) {
    return Await(Next(source)).value();
  }
  // What there is without a reactor.
  template <typename Source>
  typename Source::Item NextNow(Source& source) {
    auto next = Next(source);
    return std::move(*PollOnce(next)).value();
  }
  // Receives until there are `size` bytes.
  std::string ReceiveBytes(IoRecvSource& source, std::size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      const IoChunk chunk = AwaitNext(source).value();
      bytes += std::string(chunk.view());
    }
    return bytes;
  }
};

TEST_P(IoSourceTest, YieldsConnectionAfterConnection) {
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  IoAcceptSource source = IoAcceptAll(listener);
  TcpListenerFd& address = listening;
  for (int i = 0; i < 5; ++i) {
    const UniqueFd client = Connect(address);
    UniqueFd server = AwaitNext(source).value();
    EXPECT_FALSE(IsInherited(server.get()));
    ASSERT_EQ(WriteSome(client, "x", 1), 1);
    EXPECT_EQ(Receive(Attach(server)), "x");
  }
}

TEST_P(IoSourceTest, WaitsForConnections) {
  CountingWaker counter;
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  IoAcceptSource source = IoAcceptAll(listener);
  EXPECT_TRUE(Pending(source, counter));
  TurnOnce(*reactor_);
  EXPECT_TRUE(Pending(source, counter));
  EXPECT_EQ(counter.wakes(), 0);
  const UniqueFd client = Connect(listening);
  TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  EXPECT_TRUE(AwaitNext(source).ok());
}

TEST_P(IoSourceTest, MovingAPolledOneDies) {
  CountingWaker counter;
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  IoAcceptSource source = IoAcceptAll(listener);
  EXPECT_TRUE(Pending(source, counter));
  EXPECT_DEATH(static_cast<void>(IoAcceptSource(std::move(source))), "moved after its first poll");
}

// Nobody asks for them: the system is told to stop, and to go on.
TEST_P(IoSourceTest, ManyConnectionsBeforeAnybodyAsks) {
  CountingWaker counter;
  constexpr int kMany = 200;
  TcpListenerFd listening;
  listening.Listen(kMany);
  const IoFile listener = Attach(listening.fd);
  IoAcceptSource source = IoAcceptAll(listener);
  EXPECT_TRUE(Pending(source, counter));
  TurnOnce(*reactor_);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < kMany; ++i) {
    clients.push_back(Connect(listening));
    TurnOnce(*reactor_);
  }
  std::vector<UniqueFd> servers;
  for (int i = 0; i < kMany; ++i) {
    absl::StatusOr<UniqueFd> server = AwaitNext(source);
    ASSERT_TRUE(server.ok()) << server.status();
    servers.push_back(*std::move(server));
  }
  EXPECT_TRUE(Pending(source, counter));
}

TEST_P(IoSourceTest, YieldsBytesToTheEnd) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  IoRecvSource source = IoReceiveAll(socket, Pool(4, 8));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(WriteSome(pair.b, "hello", 5), 5);
    const IoChunk chunk = AwaitNext(source).value();
    EXPECT_EQ(chunk.view(), "hello");
  }
  const std::string text = "more than one buffer has room for";
  ASSERT_EQ(WriteSome(pair.b, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(ReceiveBytes(source, text.size()), text);
  pair.b.Reset();
  EXPECT_FALSE(Await(Next(source)).has_value());
  EXPECT_FALSE(Await(Next(source)).has_value());
}

TEST_P(IoSourceTest, ChunksCanBeSent) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  IoRecvSource source = IoReceiveAll(socket, Pool(1, 100));
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(WriteSome(pair.b, "echo", 4), 4);
    IoChunk chunk = AwaitNext(source).value();
    EXPECT_EQ(Await(IoSend(socket, std::move(chunk))).count.value(), 4u);
    char bytes[10];
    EXPECT_EQ(ReadSome(pair.b, bytes, sizeof(bytes)), 4);
  }
}

// Pitfall: a selected buffer that is never given back. All are held, then one is dropped.
TEST_P(IoSourceTest, AnEmptyPoolIsWaitedFor) {
  CountingWaker counter;
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const IoBufferPool pool = Pool(2, 3);
  IoRecvSource source = IoReceiveAll(socket, pool);
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  ASSERT_EQ(WriteSome(pair.b, text.data(), text.size()), 26);
  std::string got;
  for (int round = 0; round < 4; ++round) {
    std::vector<IoChunk> held;
    held.push_back(AwaitNext(source).value());
    held.push_back(AwaitNext(source).value());
    EXPECT_TRUE(Pending(source, counter));
    for (int i = 0; i < 5; ++i) {
      TurnOnce(*reactor_);
      EXPECT_TRUE(Pending(source, counter));
    }
    for (const IoChunk& chunk : held) got += std::string(chunk.view());
  }
  got += ReceiveBytes(source, text.size() - got.size());
  EXPECT_EQ(got, text);
}

TEST_P(IoSourceTest, SourcesShareAPool) {
  CountingWaker counter;
  constexpr int kMany = 20;
  const IoBufferPool pool = Pool(2, 16);
  std::vector<FdPair> pairs;
  std::vector<IoRecvSource> sources;
  sources.reserve(kMany);
  for (int i = 0; i < kMany; ++i) {
    pairs.push_back(MakeSocketPair());
    sources.push_back(IoReceiveAll(Attach(pairs.back().a), pool));
    EXPECT_TRUE(Pending(sources.back(), counter));
  }
  TurnOnce(*reactor_);
  for (int round = 0; round < 3; ++round) {
    for (FdPair& pair : pairs) reactor_internal::WriteByte(pair.b);
    for (IoRecvSource& source : sources) EXPECT_EQ(ReceiveBytes(source, 1), "x");
  }
  sources.clear();
  TurnOnce(*reactor_);
  EXPECT_EQ(counter.alive(), 0);
}

TEST_P(IoSourceTest, NobodyKeepsUpWithTheBytes) {
  CountingWaker counter;
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  IoRecvSource source = IoReceiveAll(socket, Pool(256, 1));
  EXPECT_TRUE(Pending(source, counter));
  const std::string text(200, 'y');
  ASSERT_EQ(WriteSome(pair.b, text.data(), text.size()), 200);
  for (int i = 0; i < 10; ++i) TurnOnce(*reactor_);
  EXPECT_EQ(ReceiveBytes(source, text.size()), text);
  EXPECT_TRUE(Pending(source, counter));
}

// More results than a ring of two entries has room for.
TEST_P(IoSourceTest, AFewEntriesAreEnough) {
  CountingWaker counter;
  Start(2);
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const IoBufferPool pool = Pool(64, 1);
  IoRecvSource source = IoReceiveAll(socket, pool);
  EXPECT_TRUE(Pending(source, counter));
  TurnOnce(*reactor_);
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const char byte = static_cast<char>('a' + i % 26);
    ASSERT_EQ(WriteSome(pair.b, &byte, 1), 1);
    sent += byte;
  }
  EXPECT_EQ(ReceiveBytes(source, sent.size()), sent);
}

TEST_P(IoSourceTest, Errors) {
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  IoAcceptSource no_listener = IoAcceptAll(socket);
  const absl::Status refused = AwaitNext(no_listener).status();
  EXPECT_NE(refused.message().find("accept from descriptor"), std::string::npos) << refused;

  UniqueFd fd = OpenRegularFile();
  const IoFile file = Attach(fd);
  const IoBufferPool pool = Pool(1, 10);
  {
    IoRecvSource no_socket = IoReceiveAll(file, pool);
    const absl::Status unusable = AwaitNext(no_socket).status();
    EXPECT_NE(unusable.message().find("receive from descriptor"), std::string::npos) << unusable;
    EXPECT_FALSE(Await(Next(no_socket)).has_value());
  }
  // The buffer is there again.
  reactor_internal::WriteByte(pair.b);
  IoRecvSource source = IoReceiveAll(socket, pool);
  EXPECT_EQ(ReceiveBytes(source, 1), "x");

  const auto other = Reactor::Create().value();
  const IoBufferPool strange = IoBufferPool::Create(other->io(), 1, 1).value();
  IoRecvSource mixed = IoReceiveAll(socket, strange);
  EXPECT_EQ(AwaitNext(mixed).status().code(), absl::StatusCode::kInvalidArgument);
  for (const auto& [count, size] : {std::pair(0u, 1u), std::pair(1u, 0u), std::pair(32'769u, 1u)}) {
    EXPECT_EQ(IoBufferPool::Create(io_, count, size).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

// -- Drops ------------------------------------------------------------------------

TEST_P(IoSourceTest, DroppedListenersLeaveLaterConnections) {
  CountingWaker counter;
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  for (int turns = -1; turns < 3; ++turns) {
    {
      IoAcceptSource dropped = IoAcceptAll(listener);
      if (turns >= 0) {
        EXPECT_TRUE(Pending(dropped, counter));
      }
      for (int i = 0; i < turns; ++i) TurnOnce(*reactor_);
    }
    EXPECT_EQ(counter.alive(), 0);
    for (int i = 0; i < 3; ++i) TurnOnce(*reactor_);
    const UniqueFd client = Connect(listening);
    EXPECT_TRUE(Await(IoAccept(listener)).ok());
  }
}

// Pitfall: a connection that was accepted for nobody leaks.
TEST_P(IoSourceTest, DroppedWithConnectionsUnread) {
  CountingWaker counter;
  TcpListenerFd listening;
  const IoFile listener = Attach(listening.fd);
  std::vector<UniqueFd> clients;
  {
    IoAcceptSource dropped = IoAcceptAll(listener);
    EXPECT_TRUE(Pending(dropped, counter));
    for (int i = 0; i < 3; ++i) clients.push_back(Connect(listening));
    TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
    for (int i = 0; i < 3; ++i) TurnOnce(*reactor_);
  }
  // The first of them was accepted; those that were not are in the backlog.
  TurnUntil(*reactor_, [&] {
    reactor_->Wake();
    char byte;
    return ReadSome(clients[0], &byte, 1) == 0;
  });
}

TEST_P(IoSourceTest, DroppedReceiversGiveBuffersBack) {
  CountingWaker counter;
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const IoBufferPool pool = Pool(2, 1);
  for (int turns = -1; turns < 3; ++turns) {
    for (const bool data : {false, true}) {
      if (data) {
        ASSERT_EQ(WriteSome(pair.b, "abc", 3), 3);
      }
      IoRecvSource dropped = IoReceiveAll(socket, pool);
      if (turns >= 0) static_cast<void>(Pending(dropped, counter));
      for (int i = 0; i < turns; ++i) TurnOnce(*reactor_);
    }
    EXPECT_EQ(counter.alive(), 0);
    for (int i = 0; i < 3; ++i) TurnOnce(*reactor_);
    // Both buffers are there.
    ASSERT_EQ(WriteSome(pair.b, "..", 2), 2);
    IoRecvSource source = IoReceiveAll(socket, pool);
    std::vector<IoChunk> chunks;
    chunks.push_back(AwaitNext(source).value());
    chunks.push_back(AwaitNext(source).value());
    EXPECT_NE(chunks[0].data(), chunks[1].data());
    chunks.clear();
    char rest[10];
    while (ReceiveNow(socket.fd(), rest, sizeof(rest)) > 0) {
    }
  }
}

TEST_P(IoSourceTest, DroppedWhileItWaitsForABuffer) {
  CountingWaker counter;
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  const IoBufferPool pool = Pool(1, 1);
  ASSERT_EQ(WriteSome(pair.b, "ab", 2), 2);
  std::optional<IoChunk> held;
  {
    IoRecvSource source = IoReceiveAll(socket, pool);
    held.emplace(AwaitNext(source).value());
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(Pending(source, counter));
      TurnOnce(*reactor_);
    }
  }
  EXPECT_EQ(counter.alive(), 0);
  held.reset();
  IoRecvSource again = IoReceiveAll(socket, pool);
  EXPECT_EQ(ReceiveBytes(again, 1), "b");
}

TEST_P(IoSourceTest, EndWithTheReactor) {
  TcpListenerFd listening;
  FdPair pair = MakeSocketPair();
  std::optional<IoChunk> kept;
  {
    CountingWaker counter;
    const IoFile listener = Attach(listening.fd);
    const IoFile socket = Attach(pair.a);
    const IoBufferPool pool = Pool(2, 10);
    IoAcceptSource connections = IoAcceptAll(listener);
    IoRecvSource bytes = IoReceiveAll(socket, pool);
    EXPECT_TRUE(Pending(connections, counter));
    reactor_internal::WriteByte(pair.b);
    kept.emplace(AwaitNext(bytes).value());
    EXPECT_TRUE(Pending(bytes, counter));
    TurnOnce(*reactor_);
    IoRecvSource late = IoReceiveAll(socket, pool);
    reactor_.reset();
    EXPECT_EQ(counter.wakes(), 2);
    EXPECT_EQ(NextNow(connections).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(NextNow(bytes).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(NextNow(late).status().code(), absl::StatusCode::kCancelled);
  }
  // A chunk outlives all.
  io_.reset();
  EXPECT_EQ(kept->view(), "x");
}

// Pitfall: the kernel cancels what was submitted by a thread that ends.
TEST_P(IoSourceTest, OutlivesTheThreadThatStartedIt) {
  CountingWaker counter;
  FdPair pair = MakeSocketPair();
  const IoFile socket = Attach(pair.a);
  IoRecvSource source = IoReceiveAll(socket, Pool(2, 10));
  std::thread([&] {
    EXPECT_TRUE(Pending(source, counter));
    TurnOnce(*reactor_);
  }).join();
  TurnOnce(*reactor_);
  reactor_internal::WriteByte(pair.b);
  EXPECT_EQ(ReceiveBytes(source, 1), "x");
}

// Senders, receivers and droppers on many threads, with fewer buffers than receivers.
TEST_P(IoSourceTest, ManyThreadsAndFewBuffers) {
  constexpr int kThreads = 3;
  const int kRounds = reactor_internal::Rounds(300);
  const IoBufferPool pool = Pool(2, 4);
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        CountingWaker counter;
        FdPair pair = MakeSocketPair();
        const IoFile socket = Attach(pair.a);
        auto source = std::make_optional(IoReceiveAll(socket, pool));
        if (t != 0) {
          EXPECT_EQ(WriteSome(pair.b, "abcdefgh", 8), 8);
        }
        std::size_t got = 0;
        while (got < 8) {
          const int wakes = counter.wakes();
          auto next = Next(*source);
          auto item = PollOnce(next, counter);
          reactor_->Wake();
          if (item.ready()) {
            got += (**item)->size();
            continue;
          }
          if (t == 0) break;  // dropped, with or without a buffer on its way
          while (counter.wakes() == wakes) std::this_thread::yield();
        }
        source.reset();
        while (counter.alive() != 0) std::this_thread::yield();
      }
      running.fetch_sub(1);
      reactor_->Wake();
    });
  }
  TurnUntil(*reactor_, [&] { return running.load() == 0; });
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(All, IoSourceTest, ::testing::ValuesIn(IoTestBackends()),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace home::testing
