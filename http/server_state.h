// ServerState: what the connections of one server share. Internal.
//
// `live` counts connections that are being served. Whoever waits for one to end
// follows this order, so that no end is missed: departure.Reset(), look at
// `live`, wait for departure. Whoever ends decrements first and sets then.
//
// Thread-safety: all members from any thread.

#ifndef HOME_HTTP_SERVER_STATE_H_
#define HOME_HTTP_SERVER_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "home/http/options.h"
#include "home/sync/event.h"

namespace home::http::internal {

struct ServerState {
  ServerState(Handler handler_in, const ServerOptions& options_in)
      : handler(std::move(handler_in)), options(options_in) {}

  const Handler handler;
  const ServerOptions options;
  Event stop;       // no new requests; idle connections end
  Event kill;       // all connections end at once
  Event departure;  // a connection has ended
  // Orders: see the uses.
  std::atomic<std::uint64_t> live{0};
  // Relaxed throughout: figures for people, which order nothing.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> requests{0};
};

// Counts one connection as alive.
class LiveGuard {
 public:
  explicit LiveGuard(std::shared_ptr<ServerState> state) : state_(std::move(state)) {
    // Relaxed: only the accepting task adds, and only it reads while adding.
    state_->live.fetch_add(1, std::memory_order_relaxed);
  }
  LiveGuard(LiveGuard&&) = default;
  LiveGuard& operator=(LiveGuard&&) = delete;
  ~LiveGuard() {
    if (state_ == nullptr) return;
    // Release, pairs with the acquire loads of the accepting task: a connection
    // that is not counted any more has let go of everything.
    state_->live.fetch_sub(1, std::memory_order_release);
    state_->departure.Set();
  }

  ServerState& state() const { return *state_; }

 private:
  std::shared_ptr<ServerState> state_;
};

}  // namespace home::http::internal

#endif  // HOME_HTTP_SERVER_STATE_H_
