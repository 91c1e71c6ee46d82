// ServerOptions: what a server allows its clients, and Handler: what it calls.

#ifndef HOME_HTTP_OPTIONS_H_
#define HOME_HTTP_OPTIONS_H_

#include <cstddef>
#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/future/async.h"
#include "home/http/parser.h"
#include "home/http/request.h"
#include "home/http/response.h"

namespace home::http {

// Answers a request. Called for many connections at once, from any worker; the
// server keeps it alive while any future that it returned lives, so a lambda
// coroutine may use its captures. An error, or an exception, becomes a 500 and
// closes the connection.
using Handler = absl::AnyInvocable<Async<absl::StatusOr<Response>>(Request&) const>;

// Learns of an error of a handler or a body source: its status, or its exception
// as kInternal. The client is told nothing but 500. Must not throw.
using ErrorListener = std::function<void(const Request&, const absl::Status&)>;

// The default: a line on standard error.
void LogError(const Request& request, const absl::Status& error);

class ServerOptions {
 public:
  ServerOptions() {}

  ErrorListener on_error = LogError;

  // Sizes: 431 for the header section, 414 for the target, 413 for the body.
  ParserLimits limits;
  // More connections wait in the system's queue until one of these is done.
  std::size_t max_connections = 10'000;

  // For a whole request head, from its first byte: then 408.
  absl::Duration header_timeout = absl::Seconds(10);
  // For a connection without a request: then it is closed. Also before the first.
  absl::Duration idle_timeout = absl::Seconds(75);
  // Between two arrivals of bytes of a body: then 408.
  absl::Duration body_timeout = absl::Seconds(30);
  // For a client that reads nothing of what is sent to it: then it is closed.
  absl::Duration write_timeout = absl::Seconds(30);
  // How long requests in flight may take after Shutdown().
  absl::Duration grace_period = absl::Seconds(30);

  // After a response that ends the connection early, the client may still be
  // sending; closing at once would reset the connection and could destroy the
  // response on its way. So this much is read and thrown away first.
  absl::Duration linger_timeout = absl::Seconds(2);
  std::size_t linger_bytes = 256 << 10;
  // What a handler leaves unread of a request body is read over, to keep the
  // connection, if it is no more than this.
  std::size_t discard_bytes = 64 << 10;
};

}  // namespace home::http

#endif  // HOME_HTTP_OPTIONS_H_
