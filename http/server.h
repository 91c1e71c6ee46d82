// Server: an HTTP/1.1 server.
//
//   Async<absl::StatusOr<http::Response>> Hello(http::Request& request) {
//     co_return http::Response::Text("Hello, World!\n");
//   }
//
//   Async<absl::Status> Main() {
//     absl::StatusOr<http::Server> server =
//         http::Server::Bind(SocketAddress::IPv4Loopback(8080), Hello);
//     if (!server.ok()) co_return server.status();
//     co_return co_await server->Serve();
//   }
//
// Each connection is a task of the runtime in which Serve() runs. Keep-alive,
// pipelining (in order, answers joined into one write), chunked bodies in both
// directions, Expect: 100-continue, HEAD and HTTP/1.0 are handled here; limits
// and timeouts are in options.h. What a bad client does ends its own connection
// and nothing else.
//
// When descriptors run out, accepting pauses for some milliseconds, growing to
// 100, and goes on: clients wait in the system's queue meanwhile.
//
// Graceful end: Shutdown() closes the listener and the idle connections;
// requests in flight get their responses, with "Connection: close"; after the
// grace period what is left is dropped. Then Serve() returns.
//
// Thread-safety: Shutdown(), Abort() and stats() from any thread.

#ifndef HOME_HTTP_SERVER_H_
#define HOME_HTTP_SERVER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/http/options.h"
#include "home/http/server_state.h"
#include "home/net/socket_address.h"
#include "home/net/tcp_listener.h"

namespace home::http {

class ServerStats {
 public:
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t requests = 0;
};

class Server {
 public:
  // Listens on `address`. Errors: those of TcpListener::Bind(), for instance
  // kFailedPrecondition for a port in use; they name the address.
  static absl::StatusOr<Server> Bind(const SocketAddress& address, Handler handler,
                                     const ServerOptions& options = ServerOptions());

  // Serves connections that `listener` accepts.
  Server(TcpListener listener, Handler handler, const ServerOptions& options = ServerOptions());
  Server(Server&&) = default;
  Server& operator=(Server&&) = delete;

  [[nodiscard]] const SocketAddress& local_address() const { return address_; }

  // Serves until Shutdown() or Abort(), and OK then; or until the listener fails
  // for good. Call once, within a runtime. The future does not refer to this
  // object.
  // Cancellation: closes the listener and drops all connections.
  Async<absl::Status> Serve();

  // Ends gracefully: see the top of this file.
  void Shutdown() { state_->stop.Set(); }
  // Ends at once: drops all connections.
  void Abort() {
    state_->stop.Set();
    state_->kill.Set();
  }

  [[nodiscard]] ServerStats stats() const;

 private:
  std::shared_ptr<internal::ServerState> state_;
  std::optional<TcpListener> listener_;  // until Serve()
  SocketAddress address_;
};

}  // namespace home::http

#endif  // HOME_HTTP_SERVER_H_
