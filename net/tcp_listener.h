// TcpListener: accepts TCP connections.
//
//   absl::StatusOr<TcpListener> listener = TcpListener::Bind(SocketAddress::IPv4Any(8080));
//   for (;;) {
//     absl::StatusOr<TcpStream> stream = co_await listener->Accept();
//     ...
//   }
//
// Thread-safety: one task accepts at a time; local_address() from anywhere.
// For several accepting tasks, bind several listeners with reuse_port.
// Cost: one system call an accepted connection and one to register it.

#ifndef HOME_NET_TCP_LISTENER_H_
#define HOME_NET_TCP_LISTENER_H_

#include <utility>

#include "absl/status/statusor.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/net/socket.h"
#include "home/net/socket_address.h"
#include "home/net/tcp_stream.h"
#include "home/reactor/registration.h"

namespace home {

struct ListenOptions {
  ListenOptions() {}  // NOLINT: not an aggregate, for the sake of coroutines under g++ 12

  // How many connections may wait to be accepted. The system has a limit of its
  // own (net.core.somaxconn).
  int backlog = 1024;
  // Lets several listeners share an address; the system spreads connections
  // over them.
  bool reuse_port = false;
};

class TcpAccept;

class TcpListener {
 public:
  // Listens on `address`; port 0 picks a free one (see local_address()). An IPv6
  // listener takes no IPv4 connections. Needs Reactor::Current().
  // Errors name the address: kFailedPrecondition if it is in use (or there is
  // no reactor), kPermissionDenied for a port that is reserved, kAlreadyExists
  // for an address that is not ours.
  static absl::StatusOr<TcpListener> Bind(const SocketAddress& address,
                                          const ListenOptions& options = ListenOptions());

  TcpListener(TcpListener&&) noexcept = default;
  TcpListener& operator=(TcpListener&&) noexcept = default;
  // Connections that wait to be accepted are reset.
  ~TcpListener() = default;

  // The next connection. Connections that were given up before they were
  // accepted are passed over. An error concerns one attempt, not the listener:
  // kResourceExhausted means that descriptors or memory have run out, while the
  // connection stays in the queue; the next Accept() tries it again at once, so
  // wait a little (or close something) in between.
  // Borrows the listener.
  // Cancellation: nothing is lost; a connection leaves the queue only in the
  // poll that returns it.
  TcpAccept Accept();

  // Where it listens, with the port that was chosen.
  const SocketAddress& local_address() const { return local_; }
  int fd() const { return socket_.fd(); }

 private:
  friend class TcpAccept;

  TcpListener(net_internal::Socket socket, const SocketAddress& local)
      : socket_(std::move(socket)), local_(local) {}

  net_internal::Socket socket_;
  SocketAddress local_;
};

// The future of TcpListener::Accept(). Movable before its first poll.
class [[nodiscard]] TcpAccept {
 public:
  using Output = absl::StatusOr<TcpStream>;

  explicit TcpAccept(TcpListener& listener)
      : listener_(&listener), wait_(listener.socket_.registration(), Direction::kRead) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  TcpListener* listener_;
  ReadyWait wait_;
};

inline TcpAccept TcpListener::Accept() { return TcpAccept(*this); }

}  // namespace home

#endif  // HOME_NET_TCP_LISTENER_H_
