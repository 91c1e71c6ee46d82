#include "home/net/tcp_listener.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/net/testing.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"
#include "home/reactor/unique_fd.h"

namespace home {
namespace {

using home::testing::BlockOn;
using home::testing::ConnectTo;
using home::testing::CountingWaker;
using home::testing::ListenOnLoopback;
using home::testing::PollOnce;
using home::testing::ReadExactly;
using home::testing::TcpPair;
using home::testing::Turn;
using home::testing::TurnUntil;

class TcpListenerTest : public ::testing::Test {
 protected:
  TcpListenerTest() : reactor_(Reactor::Create().value()) {}

  absl::StatusOr<TcpListener> Bind(const SocketAddress& address,
                                   const ListenOptions& options = ListenOptions()) {
    ReactorScope scope(reactor_.get());
    return TcpListener::Bind(address, options);
  }

  std::unique_ptr<Reactor> reactor_;
};

TEST_F(TcpListenerTest, AcceptsInOrder) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  EXPECT_NE(listener.local_address().port(), 0);
  std::vector<TcpStream> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).value());
  }
  for (const TcpStream& client : clients) {
    const TcpStream server = BlockOn(*reactor_, listener.Accept()).value();
    EXPECT_EQ(server.peer_address(), client.local_address().value());
  }
}

TEST_F(TcpListenerTest, AcceptWaits) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  CountingWaker counter;
  TcpAccept accept = listener.Accept();
  EXPECT_TRUE(PollOnce(accept, counter).pending());
  const TcpStream client = BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).value();
  TurnUntil(*reactor_, [&] { return counter.wakes() > 0; });
  EXPECT_TRUE((*PollOnce(accept, counter)).ok());
}

TEST_F(TcpListenerTest, PortInUseNamesTheAddress) {
  const TcpListener listener = ListenOnLoopback(*reactor_);
  const absl::Status status = Bind(listener.local_address()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "listen on " + listener.local_address().ToString() + ": Address already in use");
}

TEST_F(TcpListenerTest, AddressOfSomebodyElse) {
  const absl::Status status = Bind(SocketAddress::Parse("192.0.2.1:0").value()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("192.0.2.1:0"), std::string::npos) << status;
}

TEST_F(TcpListenerTest, PortIsFreeAgainAfterClosing) {
  SocketAddress address;
  {
    TcpListener listener = ListenOnLoopback(*reactor_);
    address = listener.local_address();
    // The server closes first: its side lingers in TIME_WAIT.
    TcpPair pair = ConnectTo(*reactor_, listener);
    {
      const TcpStream closed = std::move(pair.server);
    }
    std::array<char, 1> byte;
    EXPECT_EQ(BlockOn(*reactor_, pair.client.Read(absl::MakeSpan(byte))).value(), 0u);
  }
  EXPECT_TRUE(Bind(address).ok());
}

TEST_F(TcpListenerTest, ReusePortSharesAnAddress) {
  ListenOptions options;
  options.reuse_port = true;
  const absl::StatusOr<TcpListener> first = Bind(SocketAddress::IPv4Loopback(0), options);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(Bind(first->local_address(), options).ok());
}

TEST_F(TcpListenerTest, WithoutAReactorTheErrorSaysWhatToDo) {
  const absl::Status bind = TcpListener::Bind(SocketAddress::IPv4Loopback(0)).status();
  EXPECT_EQ(bind.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(bind.message().find("has no reactor"), std::string::npos);
  TcpConnect connect = TcpStream::Connect(SocketAddress::IPv4Loopback(1));
  home::Poll<TcpConnect::Output> result = PollOnce(connect);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TcpListenerTest, ConnectToNobodyIsRefused) {
  SocketAddress address;
  {
    const TcpListener listener = ListenOnLoopback(*reactor_);
    address = listener.local_address();
  }
  const absl::Status status = BlockOn(*reactor_, TcpStream::Connect(address)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "connect to " + address.ToString() + ": Connection refused");
}

TEST_F(TcpListenerTest, DroppedConnectClosesItsSocket) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  CountingWaker counter;
  {
    ReactorScope scope(reactor_.get());
    TcpConnect connect = TcpStream::Connect(listener.local_address());
    EXPECT_TRUE(PollOnce(connect, counter).pending());
  }
  EXPECT_EQ(counter.alive(), 0);
  // The connection had been made by the system; it is at its end now.
  TcpStream server = BlockOn(*reactor_, listener.Accept()).value();
  EXPECT_EQ(ReadExactly(*reactor_, server, 1), "");
}

// A client that connects and resets before it is accepted costs the others
// nothing.
TEST_F(TcpListenerTest, ConnectionThatIsResetInTheQueue) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  {
    TcpStream gone = BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).value();
    EXPECT_TRUE(gone.SetLingerReset().ok());
  }
  TcpStream client = BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).value();
  const SocketAddress expected = client.local_address().value();
  for (;;) {
    const TcpStream server = BlockOn(*reactor_, listener.Accept()).value();
    if (server.peer_address() == expected) break;
  }
}

TEST_F(TcpListenerTest, IPv6) {
  absl::StatusOr<TcpListener> listener = Bind(SocketAddress::IPv6Loopback(0));
  if (!listener.ok()) {
    // A system without IPv6 says so, and names the address.
    EXPECT_NE(listener.status().message().find("TCP socket"), std::string::npos);
    return;
  }
  TcpPair pair = ConnectTo(*reactor_, *listener);
  EXPECT_TRUE(pair.server.peer_address().is_ipv6());
  EXPECT_TRUE(BlockOn(*reactor_, pair.client.WriteAll("six")).ok());
  EXPECT_EQ(ReadExactly(*reactor_, pair.server, 3), "six");
}

TEST_F(TcpListenerTest, ReactorThatDiesEndsAPendingAccept) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  CountingWaker counter;
  TcpAccept accept = listener.Accept();
  EXPECT_TRUE(PollOnce(accept, counter).pending());
  reactor_.reset();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ((*PollOnce(accept, counter)).status().code(), absl::StatusCode::kCancelled);
}

// Pitfall: after EMFILE the connection is in the queue, but no edge tells of it
// any more.
TEST_F(TcpListenerTest, AcceptRecoversWhenDescriptorsReturn) {
  TcpListener listener = ListenOnLoopback(*reactor_);
  TcpStream client = BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).value();

  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> hoard;
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (;;) {
    UniqueFd fd(::dup(client.fd()));
    if (!fd) break;
    hoard.push_back(std::move(fd));
  }
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = BlockOn(*reactor_, listener.Accept()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(status.message().find("accept on 127.0.0.1:"), std::string::npos) << status;
  }
  {
    ReactorScope scope(reactor_.get());
    EXPECT_EQ(TcpListener::Bind(SocketAddress::IPv4Loopback(0)).status().code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(BlockOn(*reactor_, TcpStream::Connect(listener.local_address())).status().code(),
              absl::StatusCode::kResourceExhausted);
  }
  hoard.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  TcpAccept accept = listener.Accept();
  home::Poll<TcpAccept::Output> result = PollOnce(accept);  // without another event
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).value().peer_address(), client.local_address().value());
}

}  // namespace
}  // namespace home
