// Reactor: turns the system's readiness events into wakers.
//
//   auto reactor = Reactor::Create();                     // once a runtime
//   ReactorScope scope(reactor->get());                   // on every worker
//   ...
//   WakeList wakes;                                       // the idle worker
//   (*reactor)->Poll(timeout_ns, wakes);
//   wakes.WakeAll();
//
// Whoever polls hands back the wakers instead of waking them, so that it can
// let another thread take over the reactor before it runs what became ready
// (tokio#4730).
//
// Thread-safety: Poll from one thread at a time, a second one dies with a
// message; everything else from any thread at any time. The reactor must
// outlive its ReactorScopes, a Poll and a Wake (whoever destroys it makes sure
// that nobody is still about to wake it); registrations may outlive it.
// Memory ordering: what happened before Wake() happens before the return of
// the Poll that it ends; what happened before one Poll returned happens before
// the next one.
// Cost: Poll one system call, no allocation for up to 16 wakers. Wake one RMW,
// and a system call only if a Poll is blocked.

#ifndef HOME_REACTOR_REACTOR_H_
#define HOME_REACTOR_REACTOR_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "home/future/wake_list.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/poller.h"
#include "home/reactor/ready.h"
#include "home/reactor/registration.h"
#include "home/reactor/registry.h"

namespace home {

class Reactor {
 public:
  // A reactor on the platform's poller; an error if the system has no
  // descriptors left. `io`: how io() is to work.
  static absl::StatusOr<std::unique_ptr<Reactor>> Create(IoOptions io = IoOptions());
  // A reactor on a poller of the caller's, for tests and other back ends.
  static std::unique_ptr<Reactor> CreateOn(std::unique_ptr<reactor_internal::Poller> poller,
                                           IoOptions io = IoOptions());

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  // Wakes everybody who still waits; they find ReadySet::shutdown(). Ends the operations
  // of io() and waits until the system has forgotten them.
  ~Reactor();

  // Waits for events and collects the wakers that they call for; the caller
  // wakes them. `timeout_ns`: how long to wait, 0 not at all, negative for ever.
  // Returns the number of events of live registrations and of operations that
  // ended. Returns early, with none, after Wake(), and now and then for no reason.
  std::size_t Poll(std::int64_t timeout_ns, WakeList& wakes);

  // Makes the Poll that is blocked return, or else the next one that would
  // block. Many calls before that count as one. (A Poll with timeout 0 doesn't
  // use it up.)
  void Wake();

  // Watches `fd`, which is nonblocking and stays open until the registration is
  // gone. `initial` is what to believe before the first event: what can
  // probably be done at once, so that the first operation is tried without
  // waiting for it.
  absl::StatusOr<Registration> Register(int fd, Interest interest, ReadySet initial = ReadySet());

  // The completion layer (io.h). Made by the first call: a reactor that nobody asks for
  // it has no ring.
  std::shared_ptr<reactor_internal::IoEngine> io();

  // The reactor of the runtime that this thread works for, or null.
  static Reactor* Current();

 private:
  enum class WakeState : int {
    kIdle,      // no Poll is blocked
    kBlocked,   // one is, or is about to: to wake it takes a system call
    kNotified,  // Wake() was called and no blocking Poll has returned since
  };

  Reactor(std::unique_ptr<reactor_internal::Poller> poller, IoOptions io);

  const std::shared_ptr<reactor_internal::Registry> registry_;
  std::atomic<WakeState> wake_state_{WakeState::kIdle};
  // The last Notify() failed: try again with each Wake().
  std::atomic<bool> notify_failed_{false};
  std::atomic<bool> polling_{false};
  const IoOptions io_options_;
  std::mutex io_mutex_;
  std::shared_ptr<reactor_internal::IoEngine> io_owner_;  // guarded by io_mutex_
  // The same for Poll, once it is there.
  std::atomic<reactor_internal::IoEngine*> io_{nullptr};
  // Used by the thread in Poll.
  int skips_ = 0;
  std::array<reactor_internal::Poller::Event, 512> events_;
};

// Makes a reactor the current one of this thread, and on destruction the one
// that was it before. Scopes nest; null means none.
class ReactorScope {
 public:
  explicit ReactorScope(Reactor* reactor);
  ReactorScope(const ReactorScope&) = delete;
  ReactorScope& operator=(const ReactorScope&) = delete;
  ~ReactorScope();

 private:
  Reactor* const previous_;
};

}  // namespace home

#endif  // HOME_REACTOR_REACTOR_H_
