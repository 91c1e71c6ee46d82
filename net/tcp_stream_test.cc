#include "home/net/tcp_stream.h"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/net/testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"

namespace home {
namespace {

using home::testing::BlockOn;
using home::testing::ConnectOverLoopback;
using home::testing::CountingWaker;
using home::testing::PollOnce;
using home::testing::ReadExactly;
using home::testing::TcpPair;
using home::testing::Turn;
using home::testing::TurnOnce;
using home::testing::TurnUntil;

class TcpStreamTest : public ::testing::Test {
 protected:
  TcpStreamTest() : reactor_(Reactor::Create().value()), pair_(ConnectOverLoopback(*reactor_)) {}

  TcpStream& client() { return pair_.client; }
  TcpStream& server() { return pair_.server; }

  // Writes until the system takes no more.
  std::size_t Fill(TcpStream& stream) {
    const std::string block(65536, 'f');
    std::size_t total = 0;
    for (int empty = 0; empty < 3;) {
      const std::optional<std::size_t> count = stream.TryWrite(block).value();
      if (count.has_value()) {
        total += *count;
        empty = 0;
      } else {
        // The kernel may still be moving data to the other side.
        TurnOnce(*reactor_);
        ++empty;
      }
    }
    return total;
  }

  std::unique_ptr<Reactor> reactor_;
  TcpPair pair_;
  std::array<char, 4096> buffer_;
};

TEST_F(TcpStreamTest, ReadsWhatWasWritten) {
  EXPECT_EQ(BlockOn(*reactor_, client().Write("hello")).value(), 5u);
  EXPECT_EQ(BlockOn(*reactor_, server().Read(absl::MakeSpan(buffer_))).value(), 5u);
  EXPECT_EQ(absl::string_view(buffer_.data(), 5), "hello");
  EXPECT_TRUE(BlockOn(*reactor_, server().WriteAll("world")).ok());
  EXPECT_EQ(ReadExactly(*reactor_, client(), 5), "world");
}

TEST_F(TcpStreamTest, Addresses) {
  EXPECT_EQ(client().local_address().value(), server().peer_address());
  EXPECT_EQ(server().local_address().value(), client().peer_address());
}

TEST_F(TcpStreamTest, ReadWaitsForData) {
  CountingWaker counter;
  TcpRead read = server().Read(absl::MakeSpan(buffer_));
  EXPECT_TRUE(PollOnce(read, counter).pending());
  EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll("x")).ok());
  TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  home::Poll<TcpRead::Output> result = PollOnce(read, counter);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).value(), 1u);
}

TEST_F(TcpStreamTest, EmptyBuffersAreDoneAtOnce) {
  TcpRead read = server().Read({});
  EXPECT_EQ((*PollOnce(read)).value(), 0u);
  TcpWrite write = server().Write("");
  EXPECT_EQ((*PollOnce(write)).value(), 0u);
  TcpWriteAll write_all = server().WriteAll("");
  EXPECT_TRUE((*PollOnce(write_all)).ok());
  const std::vector<absl::string_view> pieces = {"", "", ""};
  TcpWriteAllV write_v = server().WriteAllV(pieces);
  EXPECT_TRUE((*PollOnce(write_v)).ok());
}

// A short read is taken for "would block"; what comes next must be seen.
TEST_F(TcpStreamTest, EveryMessageIsSeenAfterShortReads) {
  for (int i = 0; i < 1000; ++i) {
    const std::string message = std::to_string(i);
    EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll(message)).ok());
    const std::size_t count = BlockOn(*reactor_, server().Read(absl::MakeSpan(buffer_))).value();
    EXPECT_EQ(absl::string_view(buffer_.data(), count), message);
  }
}

TEST_F(TcpStreamTest, ShortReadJustBeforeTheEndDoesNotHideIt) {
  for (int i = 0; i < 50; ++i) {
    TcpPair pair = ConnectOverLoopback(*reactor_);
    EXPECT_TRUE(BlockOn(*reactor_, pair.client.WriteAll("bye")).ok());
    EXPECT_TRUE(pair.client.ShutdownWrite().ok());
    EXPECT_EQ(ReadExactly(*reactor_, pair.server, 100), "bye");
    EXPECT_EQ(BlockOn(*reactor_, pair.server.Read(absl::MakeSpan(buffer_))).value(), 0u);
    EXPECT_EQ(BlockOn(*reactor_, pair.server.Read(absl::MakeSpan(buffer_))).value(), 0u);
  }
}

// A read stops at urgent data although more follows: such a short read proves
// nothing.
TEST_F(TcpStreamTest, ShortReadAtUrgentDataDoesNotHideTheRest) {
  ASSERT_EQ(::send(client().fd(), "ab", 2, 0), 2);
  ASSERT_EQ(::send(client().fd(), "!", 1, MSG_OOB), 1);
  ASSERT_EQ(::send(client().fd(), "cd", 2, 0), 2);
  EXPECT_EQ(ReadExactly(*reactor_, server(), 4), "abcd");
}

TEST_F(TcpStreamTest, WriteAllWaitsForRoom) {
  std::string data(8 << 20, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 + i / 251);
  CountingWaker counter;
  TcpWriteAll write = client().WriteAll(data);
  ASSERT_TRUE(PollOnce(write, counter).pending());
  std::string received;
  std::vector<char> block(100'000);
  int wakes = 0;
  bool written = false;
  while (received.size() < data.size()) {
    const std::optional<std::size_t> count = server().TryRead(absl::MakeSpan(block)).value();
    if (count.has_value()) {
      received.append(block.data(), *count);
    } else {
      Turn(*reactor_);
    }
    if (!written && counter.wakes() != wakes) {
      wakes = counter.wakes();
      home::Poll<absl::Status> result = PollOnce(write, counter);
      if (result.ready()) {
        EXPECT_TRUE((*result).ok());
        written = true;
      }
    }
  }
  EXPECT_TRUE(written);
  EXPECT_TRUE(received == data);
}

TEST_F(TcpStreamTest, WriteAllVWritesAllPiecesInOrder) {
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    // Empty ones in between, and some that fill the socket's buffer.
    texts.push_back(std::string(i % 3 == 0 ? 0 : i * 97, static_cast<char>('a' + i % 26)));
    if (i % 100 == 50) texts.back().resize(1 << 20, 'L');
    expected += texts.back();
  }
  const std::vector<absl::string_view> pieces(texts.begin(), texts.end());
  CountingWaker counter;
  TcpWriteAllV write = client().WriteAllV(pieces);
  int wakes = 0;
  home::Poll<absl::Status> first = PollOnce(write, counter);
  ASSERT_TRUE(first.pending());
  std::string received;
  std::vector<char> block(65536);
  bool written = false;
  while (received.size() < expected.size()) {
    const std::optional<std::size_t> count = server().TryRead(absl::MakeSpan(block)).value();
    if (count.has_value()) {
      received.append(block.data(), *count);
    } else {
      Turn(*reactor_);
    }
    if (!written && counter.wakes() != wakes) {
      wakes = counter.wakes();
      home::Poll<absl::Status> result = PollOnce(write, counter);
      if (result.ready()) {
        EXPECT_TRUE((*result).ok());
        written = true;
      }
    }
  }
  EXPECT_TRUE(written);
  EXPECT_TRUE(received == expected);
}

TEST_F(TcpStreamTest, AReaderAndAWriterMayBothWait) {
  Fill(client());
  CountingWaker reader;
  CountingWaker writer;
  TcpRead read = client().Read(absl::MakeSpan(buffer_));
  EXPECT_TRUE(PollOnce(read, reader).pending());
  TcpWrite write = client().Write("x");
  EXPECT_TRUE(PollOnce(write, writer).pending());

  EXPECT_TRUE(BlockOn(*reactor_, server().WriteAll("for the reader")).ok());
  TurnUntil(*reactor_, [&] { return reader.wakes() > 0; });
  EXPECT_EQ((*PollOnce(read, reader)).value(), 14u);

  std::vector<char> block(1 << 20);
  for (;;) {
    home::Poll<TcpWrite::Output> result = PollOnce(write, writer);
    if (result.ready()) {
      EXPECT_EQ((*result).value(), 1u);
      break;
    }
    const int wakes = writer.wakes();
    TurnUntil(*reactor_, [&] {
      while (server().TryRead(absl::MakeSpan(block)).value().has_value()) {
      }
      return writer.wakes() != wakes;
    });
  }
}

TEST_F(TcpStreamTest, TryFormsSayThatTheyWouldBlock) {
  EXPECT_EQ(server().TryRead(absl::MakeSpan(buffer_)).value(), std::nullopt);
  EXPECT_GT(Fill(client()), 0u);
  EXPECT_EQ(client().TryWrite("x").value(), std::nullopt);
  EXPECT_EQ(client().TryWrite("").value(), 0u);
  EXPECT_EQ(client().TryRead({}).value(), 0u);
  TurnUntil(*reactor_,
            [&] { return server().TryRead(absl::MakeSpan(buffer_)).value().has_value(); });
}

TEST_F(TcpStreamTest, ReadableAndWritableNeedNoBuffer) {
  while (server().TryRead(absl::MakeSpan(buffer_)).value().has_value()) {
  }
  CountingWaker counter;
  ReadyWait readable = server().Readable();
  // What accepting itself reported may come first; it reads as "would block".
  while (PollOnce(readable, counter).ready()) {
    EXPECT_EQ(server().TryRead(absl::MakeSpan(buffer_)).value(), std::nullopt);
  }
  EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll("hello")).ok());
  EXPECT_TRUE(BlockOn(*reactor_, client().Writable()).ready.writable());
  std::optional<std::size_t> count;
  while (!count.has_value()) {
    BlockOn(*reactor_, server().Readable());
    count = server().TryRead(absl::MakeSpan(buffer_)).value();
  }
  EXPECT_EQ(count, 5u);
}

TEST_F(TcpStreamTest, HalfCloseLeavesTheOtherDirection) {
  EXPECT_TRUE(client().ShutdownWrite().ok());
  EXPECT_EQ(BlockOn(*reactor_, server().Read(absl::MakeSpan(buffer_))).value(), 0u);
  EXPECT_TRUE(BlockOn(*reactor_, server().WriteAll("still here")).ok());
  EXPECT_EQ(ReadExactly(*reactor_, client(), 10), "still here");
}

TEST_F(TcpStreamTest, ResetEndsAPendingReadWithAnError) {
  CountingWaker counter;
  TcpRead read = server().Read(absl::MakeSpan(buffer_));
  EXPECT_TRUE(PollOnce(read, counter).pending());
  EXPECT_TRUE(client().SetLingerReset().ok());
  {
    const TcpStream closed = std::move(client());
  }
  TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  home::Poll<TcpRead::Output> result = PollOnce(read, counter);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE((*result).status().message().find("read from 127.0.0.1:"), std::string::npos);
}

// No SIGPIPE, whatever the form.
TEST_F(TcpStreamTest, WritingToAClosedPeerIsAnError) {
  EXPECT_TRUE(client().SetLingerReset().ok());
  {
    const TcpStream closed = std::move(client());
  }
  absl::Status status = absl::OkStatus();
  TurnUntil(*reactor_, [&] {
    status = BlockOn(*reactor_, server().WriteAll("x"));
    return !status.ok();
  });
  EXPECT_NE(status.message().find("write to 127.0.0.1:"), std::string::npos) << status;
  EXPECT_FALSE(BlockOn(*reactor_, server().Write("x")).ok());
  const std::vector<absl::string_view> pieces = {"x", "y"};
  EXPECT_FALSE(BlockOn(*reactor_, server().WriteAllV(pieces)).ok());
  EXPECT_FALSE(server().TryWrite("x").ok());
  EXPECT_FALSE(server().ShutdownWrite().ok());
}

TEST_F(TcpStreamTest, DroppedReadLosesNothing) {
  CountingWaker counter;
  {
    TcpRead read = server().Read(absl::MakeSpan(buffer_));
    EXPECT_TRUE(PollOnce(read, counter).pending());
    EXPECT_EQ(counter.alive(), 1);
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll("kept")).ok());
  EXPECT_EQ(ReadExactly(*reactor_, server(), 4), "kept");
}

TEST_F(TcpStreamTest, OperationsSpendBudget) {
  EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll("abc")).ok());
  TurnUntil(*reactor_,
            [&] { return server().TryRead(absl::MakeSpan(buffer_).first(1)).value() == 1u; });
  CountingWaker counter;
  const Waker waker = counter.Make();
  home::Turn turn;
  turn.budget = 1;
  {
    Context cx(waker, &turn);
    TcpRead read = server().Read(absl::MakeSpan(buffer_).first(1));
    ASSERT_TRUE(read.Poll(cx).ready());
    EXPECT_EQ(turn.budget, 0u);
  }
  Context cx(waker, &turn);
  TcpRead read = server().Read(absl::MakeSpan(buffer_).first(1));
  EXPECT_TRUE(read.Poll(cx).pending());
  EXPECT_TRUE(turn.budget_exhausted);
  EXPECT_EQ(counter.wakes(), 1);
  turn.budget = 1;
  ASSERT_TRUE(read.Poll(cx).ready());
}

TEST_F(TcpStreamTest, ReactorThatDiesEndsWhatWaits) {
  CountingWaker counter;
  TcpRead read = server().Read(absl::MakeSpan(buffer_));
  EXPECT_TRUE(PollOnce(read, counter).pending());
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 1);
  home::Poll<TcpRead::Output> result = PollOnce(read, counter);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status().code(), absl::StatusCode::kCancelled);
  // What needs no waiting still works.
  TcpWrite write = client().Write("x");
  EXPECT_EQ((*PollOnce(write)).value(), 1u);
}

TEST_F(TcpStreamTest, NoDelay) {
  EXPECT_TRUE(client().SetNoDelay(true).ok());
  EXPECT_TRUE(client().SetNoDelay(false).ok());
}

TEST_F(TcpStreamTest, MoveAssignmentClosesTheOldConnection) {
  TcpPair other = ConnectOverLoopback(*reactor_);
  client() = std::move(other.client);
  EXPECT_EQ(BlockOn(*reactor_, server().Read(absl::MakeSpan(buffer_))).value(), 0u);
  EXPECT_TRUE(BlockOn(*reactor_, client().WriteAll("moved")).ok());
  EXPECT_EQ(ReadExactly(*reactor_, other.server, 5), "moved");
}

}  // namespace
}  // namespace home
