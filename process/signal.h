// SignalListener: Unix signals as futures.
//
//   absl::StatusOr<SignalListener> signals = SignalListener::Create({SIGINT, SIGTERM});
//   absl::StatusOr<int> signal = co_await signals->Next();
//   if (signal.ok()) { ... shut down ... }
//
// While a listener lives, its signals no longer do what they did before (end
// the process, usually). When the last listener of a signal dies, what was set
// before the first one is set again, unless somebody has replaced our handler
// meanwhile. Several listeners may listen to the same signal; each gets it.
//
// A signal that arrives several times before it is taken counts once, as
// signals always do. Which of several different pending signals comes first is
// not specified (today: the smallest number).
//
// Thread-safety: Create and destruction from any thread; one task at a time
// waits on a listener. The handler may run on any thread at any moment: it
// touches atomics and a descriptor, nothing else, and keeps errno.
// Cost: at most 64 listeners at a time in a process. A descriptor a listener (two
// where there are no eventfds), which stays open for the next one: a handler that is
// about to write to it must never find it closed and its number somebody else's.

#ifndef HOME_PROCESS_SIGNAL_H_
#define HOME_PROCESS_SIGNAL_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/reactor/registration.h"

namespace home {

class SignalNext;

class SignalListener {
 public:
  // Listens from now on. Needs Reactor::Current().
  // Errors: kInvalidArgument for a signal that does not exist or can't be caught
  // (SIGKILL, SIGSTOP) or that must not be (SIGSEGV and its like),
  // kFailedPrecondition (no reactor), kResourceExhausted.
  static absl::StatusOr<SignalListener> Create(absl::Span<const int> signals);
  // The same for the end of a program: the first signal arrives as usual, and the second,
  // of the same number or another of `signals`, ends the process at once with exit code
  // 128 + its number, in the handler, however busy or stuck the program's threads are.
  static absl::StatusOr<SignalListener> CreateForExit(absl::Span<const int> signals);

  SignalListener(SignalListener&& other) noexcept
      : mailbox_(std::exchange(other.mailbox_, -1)),
        signals_(std::exchange(other.signals_, 0)),
        registration_(std::move(other.registration_)) {}
  SignalListener& operator=(SignalListener&& other) noexcept;
  ~SignalListener() { Close(); }

  // The number of the next signal. Borrows the listener.
  // Cancellation: nothing is lost; a signal is taken only in the poll that
  // returns it.
  SignalNext Next();

 private:
  friend class SignalNext;

  SignalListener(int mailbox, std::uint64_t signals, Registration registration)
      : mailbox_(mailbox), signals_(signals), registration_(std::move(registration)) {}

  static absl::StatusOr<SignalListener> Listen(absl::Span<const int> signals, bool for_exit);
  void Close();

  int mailbox_;            // the place where the handler leaves signals; -1: moved away
  std::uint64_t signals_;  // bit n-1 for signal n
  Registration registration_;
};

// The future of SignalListener::Next(). Movable before its first poll.
class [[nodiscard]] SignalNext {
 public:
  using Output = absl::StatusOr<int>;

  explicit SignalNext(SignalListener& listener)
      : listener_(&listener), wait_(listener.registration_, Direction::kRead) {}

  home::Poll<Output> Poll(Context& cx);

 private:
  SignalListener* listener_;
  ReadyWait wait_;
};

inline SignalNext SignalListener::Next() { return SignalNext(*this); }

}  // namespace home

#endif  // HOME_PROCESS_SIGNAL_H_
