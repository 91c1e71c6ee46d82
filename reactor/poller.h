// Poller: what the reactor needs from the system, and all that differs between
// systems. One source file implements it for each: poller_epoll.cc on Linux,
// poller_iocp.cc on Windows.
//
// Registration is edge-triggered: after Add(), the conditions that hold are
// reported once, and from then on each change that makes a condition hold (anew)
// is reported at least once. Some systems (Windows) know levels only: there a direction
// that was reported is silent until Rearm().
//
// Thread-safety: Add, Remove, Rearm and Notify from any thread at any time; Wait from
// one thread at a time.

#ifndef HOME_REACTOR_POLLER_H_
#define HOME_REACTOR_POLLER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/reactor/ready.h"

namespace home::reactor_internal {

class CompletionPort;  // iocp_windows.h

class Poller {
 public:
  struct Event {
    std::uint64_t key = 0;
    ReadySet ready;
  };
  // No registration's: an event with it ends a wait and is not reported. For whatever
  // has nothing to say but that somebody has to look.
  static constexpr std::uint64_t kReservedKey = ~std::uint64_t{0};

  virtual ~Poller() = default;

  // Reports changes of `fd` under `key` until Remove(). A descriptor can be
  // added once at a time. kPermissionDenied: it has no readiness, as files have none.
  virtual absl::Status Add(int fd, Interest interest, std::uint64_t key) = 0;
  // Stops reporting. A Wait() that runs at this moment may still return an
  // event with the old key.
  virtual void Remove(int fd) = 0;

  // Whether Rearm() does anything.
  virtual bool needs_rearm() const { return false; }
  // What was reported of `direction` has been used up: an operation would block. If
  // something holds again by now, that is reported.
  virtual void Rearm(int fd, Direction direction) {
    static_cast<void>(fd);
    static_cast<void>(direction);
  }

  // Fills `events` and returns how many. Blocks for `timeout_ns` nanoseconds, or
  // for ever if it is negative, until there is an event or a Notify(). A
  // signal doesn't end it; it may return early with no event for no reason.
  virtual std::size_t Wait(std::int64_t timeout_ns, absl::Span<Event> events) = 0;

  // Makes a running Wait(), or the next one, return. False: the system refused,
  // and nothing happened.
  [[nodiscard]] virtual bool Notify() = 0;

  // Where operations end that the system carries out by itself, if Wait() collects them too.
  virtual CompletionPort* completion_port() { return nullptr; }
};

// The platform's poller.
absl::StatusOr<std::unique_ptr<Poller>> CreatePoller();

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_POLLER_H_
