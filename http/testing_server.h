// A server in a runtime of its own, for tests that talk to it over sockets.

#ifndef HOME_HTTP_TESTING_SERVER_H_
#define HOME_HTTP_TESTING_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/async.h"
#include "home/http/options.h"
#include "home/http/server.h"
#include "home/net/socket_address.h"
#include "home/scheduler/runtime.h"

namespace home::http::testing {

class TestServer {
 public:
  explicit TestServer(Handler handler, const ServerOptions& options = ServerOptions(),
                      std::size_t workers = 2)
      : runtime_(*RuntimeBuilder().WorkerThreads(workers).Build()) {
    runtime_.BlockOn(Start(this, std::move(handler), options));
  }
  ~TestServer() {
    if (!serving_.has_value()) return;
    server_->Abort();
    (void)Wait();
  }

  std::uint16_t port() const { return server_->local_address().port(); }
  Server& server() { return *server_; }
  Runtime& runtime() { return runtime_; }
  // What Serve() returned. Call Shutdown() or Abort() first, and only once.
  absl::Status Wait() {
    absl::Status result = runtime_.BlockOn(*std::move(serving_));
    serving_.reset();
    return result;
  }
  // Drops the future of Serve().
  void Cancel() {
    serving_->Abort();
    (void)Wait();
  }

 private:
  static Async<void> Start(TestServer* self, Handler handler, ServerOptions options) {
    absl::StatusOr<Server> server =
        Server::Bind(SocketAddress::IPv4Loopback(0), std::move(handler), options);
    self->server_.emplace(*std::move(server));
    self->serving_.emplace(Spawn(self->server_->Serve()));
    co_return;
  }

  Runtime runtime_;
  std::optional<Server> server_;
  std::optional<JoinHandle<absl::Status>> serving_;
};

}  // namespace home::http::testing

#endif  // HOME_HTTP_TESTING_SERVER_H_
