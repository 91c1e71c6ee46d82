#include "home/http/server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "home/future/fatal.h"
#include "home/http/connection.h"
#include "home/http/until.h"
#include "home/net/tcp_stream.h"
#include "home/scheduler/runtime.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"

namespace home::http {
namespace {

using internal::ConnectionTask;
using internal::ServerState;

constexpr absl::Duration kFirstPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(100);

// Drops the connections when Serve() ends, however it ends.
class KillAtExit {
 public:
  explicit KillAtExit(ServerState& state) : state_(state) {}
  KillAtExit(const KillAtExit&) = delete;
  KillAtExit& operator=(const KillAtExit&) = delete;
  ~KillAtExit() { state_.kill.Set(); }

 private:
  ServerState& state_;
};

// Waits until fewer than `count` connections are alive.
Async<void> WaitForFewer(ServerState* state, std::uint64_t count) {
  while (true) {
    // In this order: an end that the load does not show sets the event again.
    state->departure.Reset();
    // Acquire, pairs with: ~LiveGuard().
    if (state->live.load(std::memory_order_acquire) < count) co_return;
    co_await state->departure.Wait();
  }
}

// Accepts until the server stops or the listener fails for good.
Async<absl::Status> Accept(std::shared_ptr<ServerState> state, TcpListener listener) {
  absl::Duration pause = kFirstPause;
  while (!state->stop.IsSet()) {
    if (state->live.load(std::memory_order_acquire) >= state->options.max_connections) {
      Until<Async<void>> waiting(WaitForFewer(state.get(), state->options.max_connections),
                                 state->stop);
      co_await waiting;
      continue;
    }
    Until<TcpAccept> accepting(listener.Accept(), state->stop);
    std::optional<absl::StatusOr<TcpStream>> accepted = co_await accepting;
    if (!accepted.has_value()) break;
    absl::StatusOr<TcpStream>& stream = *accepted;
    if (!stream.ok()) {
      // Out of descriptors or memory: they come back. Anything else does not.
      if (!absl::IsResourceExhausted(stream.status())) co_return stream.status();
      Until<Sleep> sleeping(Sleep(pause), state->stop);
      co_await sleeping;
      pause = std::min(pause * 2, kLongestPause);
      continue;
    }
    pause = kFirstPause;
    state->accepted.fetch_add(1, std::memory_order_relaxed);
    // Responses are written whole; gathering small writes would only delay them.
    // A failure shows when the connection is used.
    (void)stream->SetNoDelay(true);
    Spawn(ConnectionTask(*std::move(stream), state)).Detach();
  }
  co_return absl::OkStatus();
}

Async<absl::Status> ServeAll(std::shared_ptr<ServerState> state, TcpListener listener) {
  KillAtExit kill(*state);
  absl::Status accepted = co_await Accept(state, std::move(listener));
  if (!accepted.ok()) co_return accepted;
  auto draining = Timeout(Until<Async<void>>(WaitForFewer(state.get(), 1), state->kill),
                          state->options.grace_period);
  // A timeout is as good an end as any: what is left is dropped now.
  (void)co_await draining;
  state->kill.Set();
  co_await WaitForFewer(state.get(), 1);
  co_return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Server> Server::Bind(const SocketAddress& address, Handler handler,
                                    const ServerOptions& options) {
  absl::StatusOr<TcpListener> listener = TcpListener::Bind(address);
  if (!listener.ok()) return listener.status();
  return Server(*std::move(listener), std::move(handler), options);
}

Server::Server(TcpListener listener, Handler handler, const ServerOptions& options)
    : state_(std::make_shared<ServerState>(std::move(handler), options)),
      listener_(std::move(listener)),
      address_(listener_->local_address()) {}

Async<absl::Status> Server::Serve() {
  if (!listener_.has_value()) Fatal("http::Server::Serve() was called twice");
  TcpListener listener = *std::move(listener_);
  listener_.reset();
  return ServeAll(state_, std::move(listener));
}

ServerStats Server::stats() const {
  // Relaxed: figures for people.
  ServerStats stats;
  stats.connections_accepted = state_->accepted.load(std::memory_order_relaxed);
  stats.connections_open = state_->live.load(std::memory_order_relaxed);
  stats.requests = state_->requests.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace home::http
