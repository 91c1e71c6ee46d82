// A connection over loopback, for tests.

#ifndef HOME_NET_TESTING_H_
#define HOME_NET_TESTING_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/net/tcp_listener.h"
#include "home/net/tcp_stream.h"
#include "home/reactor/reactor.h"
#include "home/reactor/testing.h"

namespace home::testing {

struct TcpPair {
  TcpStream client;
  TcpStream server;
};

// A listener on a free port of 127.0.0.1.
inline TcpListener ListenOnLoopback(Reactor& reactor) {
  ReactorScope scope(&reactor);
  return TcpListener::Bind(SocketAddress::IPv4Loopback(0)).value();
}

inline TcpPair ConnectTo(Reactor& reactor, TcpListener& listener) {
  TcpStream client = BlockOn(reactor, TcpStream::Connect(listener.local_address())).value();
  TcpStream server = BlockOn(reactor, listener.Accept()).value();
  return TcpPair{std::move(client), std::move(server)};
}

inline TcpPair ConnectOverLoopback(Reactor& reactor) {
  TcpListener listener = ListenOnLoopback(reactor);
  return ConnectTo(reactor, listener);
}

// Reads `size` bytes; fewer if the stream ends.
inline std::string ReadExactly(Reactor& reactor, TcpStream& stream, std::size_t size) {
  std::string result(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const std::size_t count =
        BlockOn(reactor, stream.Read(absl::MakeSpan(result).subspan(got))).value();
    if (count == 0) break;
    got += count;
  }
  result.resize(got);
  return result;
}

}  // namespace home::testing

#endif  // HOME_NET_TESTING_H_
