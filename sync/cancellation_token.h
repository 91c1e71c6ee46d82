// CancellationToken: asks work to stop, and everything that the work has started.
//
//   CancellationToken stop;
//   auto serving = Spawn(RunUntilCancelled(stop, Serve()));   // ends Serve() where it waits
//   auto cleaning = Spawn([stop]() -> Async<> {               // ends by itself
//     while (!stop.IsCancelled()) co_await CleanSome();
//   });
//   CancellationCallback callback(stop, [&] { socket.Close(); });
//   stop.Cancel();
//
// Copies are the same token: each can cancel it and wait for that. Child() makes a
// token below this one: it is cancelled with it, but can also be cancelled alone,
// which its parent does not notice. So a server has one token, each of its
// connections a child of that, and each request a child of the connection's.
//
// A token is cancelled once and stays so.
//
// Thread-safety: all functions from any thread, also from wakers and callbacks.
// Neither of these is ever called under a lock.
// Memory ordering: what happens before Cancel() happens before an IsCancelled() that
// returns true because of it, before a wait for it is ready, and before a callback.
// Cost: a token that is no copy is one allocation (128 bytes); IsCancelled() one load,
// however deep the tree; waiting allocates nothing; Cancel() is linear in the tokens
// below this one, their waiters and callbacks, and uses no stack for the depth. Making
// and dropping a child takes its parent's lock.

#ifndef HOME_SYNC_CANCELLATION_TOKEN_H_
#define HOME_SYNC_CANCELLATION_TOKEN_H_

#include <concepts>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/lock_watch.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/sync/cancellation_node.h"
#include "home/sync/event.h"

namespace home {

class CancelledFuture;

class CancellationToken {
 public:
  // A root, not cancelled.
  CancellationToken() : node_(new sync_internal::CancellationNode(nullptr)) {}
  CancellationToken(const CancellationToken& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->AddReference();
  }
  // The token moved from may only be assigned to or destroyed.
  CancellationToken(CancellationToken&& other) noexcept
      : node_(std::exchange(other.node_, nullptr)) {}
  CancellationToken& operator=(CancellationToken other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  // Dropping the last copy of a token cancels nothing.
  ~CancellationToken() {
    if (node_ != nullptr) node_->Release();
  }

  // A token that is cancelled with this one, or alone.
  [[nodiscard]] CancellationToken Child() const {
    return CancellationToken(new sync_internal::CancellationNode(node_));
  }

  // Cancels this token and all below it: wakes who waits, and runs the callbacks, on this
  // thread, in no particular order. Has no effect on a token that is cancelled. (It may
  // then return before the first call has reached every child.)
  void Cancel() const { node_->Cancel(); }

  [[nodiscard]] bool IsCancelled() const { return node_->cancelled().IsSet(); }

  // A future of void that is ready once the token is cancelled.
  // Cancellation: dropping it loses nothing.
  [[nodiscard]] CancelledFuture Cancelled(
      const internal::LockPlace& place = std::source_location::current()) const;
  // The same for who waits for something else, as Event::WaitBeside().
  [[nodiscard]] CancelledFuture CancelledBeside() const;

  // Whether both are copies of one token.
  friend bool operator==(const CancellationToken& a, const CancellationToken& b) {
    return a.node_ == b.node_;
  }

 private:
  friend class CancelledFuture;
  template <std::invocable Fn>
  friend class CancellationCallback;

  explicit CancellationToken(sync_internal::CancellationNode* node) : node_(node) {}

  sync_internal::CancellationNode* node_;
};

// What CancellationToken::Cancelled() returns. It keeps the token alive. Movable before
// its first poll.
class [[nodiscard]] CancelledFuture {
 public:
  using Output = void;

  home::Poll<void> Poll(Context& cx) {
    if (wait_.Poll(cx).ready()) return kReady;
    return wait_.beside() ? kPending : cx.PendingFor(kKind);
  }

 private:
  friend class CancellationToken;

  static constexpr char kKind[] = "cancellation token";

  explicit CancelledFuture(CancellationToken token)
      : token_(std::move(token)), wait_(token_.node_->cancelled()) {}
  CancelledFuture(CancellationToken token, const internal::LockPlace& place)
      : token_(std::move(token)), wait_(token_.node_->cancelled(), kKind, place) {}

  CancellationToken token_;
  Event::WaitFuture wait_;
};

inline CancelledFuture CancellationToken::Cancelled(const internal::LockPlace& place) const {
  return CancelledFuture(*this, place);
}
inline CancelledFuture CancellationToken::CancelledBeside() const { return CancelledFuture(*this); }

// Cancels its token in the end of its scope, however that comes, unless it was disarmed before:
//
//   const CancellationGuard guard(work.Child());
//
// Movable; one that was moved from, or disarmed, cancels nothing.
class [[nodiscard]] CancellationGuard {
 public:
  explicit CancellationGuard(CancellationToken token) noexcept : token_(std::move(token)) {}
  CancellationGuard(CancellationGuard&& other) noexcept
      : token_(std::exchange(other.token_, std::nullopt)) {}
  CancellationGuard& operator=(CancellationGuard&&) = delete;
  ~CancellationGuard() {
    if (token_) token_->Cancel();
  }

  // Gives back the token, which is not cancelled here any more.
  CancellationToken Disarm() && { return *std::exchange(token_, std::nullopt); }

 private:
  std::optional<CancellationToken> token_;
};

// Calls `fn()` once, when the token is cancelled: on the thread that cancels it, or here
// in the constructor if it is cancelled already. `fn` must not throw. The destructor
// waits while another thread is inside `fn`; a callback may destroy its own object.
template <std::invocable Fn>
class CancellationCallback : private sync_internal::CancellationHook {
 public:
  CancellationCallback(CancellationToken token, Fn fn)
      : sync_internal::CancellationHook(&Run), token_(std::move(token)), fn_(std::move(fn)) {
    token_.node_->Link(*this);
  }
  ~CancellationCallback() { token_.node_->Unlink(*this); }

 private:
  static void Run(sync_internal::CancellationHook* self) noexcept {
    static_cast<CancellationCallback*>(self)->fn_();
  }

  CancellationToken token_;
  Fn fn_;
};

// What RunUntilCancelled() returns. Movable before its first poll.
template <Future F>
class [[nodiscard]] UntilCancelledFuture {
 public:
  using Output = Fallible<FutureOutput<F>>;
  static constexpr const char* kName = "RunUntilCancelled";

  UntilCancelledFuture(const CancellationToken& token, F future)
      : future_(std::move(future)), cancelled_(token.CancelledBeside()) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    const bool first = !std::exchange(started_, true);
    // Work that was cancelled before its start is not begun.
    if (first && cancelled_->Poll(cx).ready()) return End();
    {
      home::Poll<FutureOutput<F>> result = future_->Poll(cx);
      if (result.ready()) {
        future_.reset();
        cancelled_.reset();
        if constexpr (std::is_same_v<FutureOutput<F>, Output>) {
          return result;
        } else if constexpr (std::is_void_v<FutureOutput<F>>) {
          return Output(absl::OkStatus());
        } else {
          return Output(std::move(result).value());
        }
      }
    }
    if (cancelled_->Poll(cx).pending()) return check_.Pending();
    return End();
  }

 private:
  Output End() {
    future_.reset();
    cancelled_.reset();
    return Output(absl::CancelledError("RunUntilCancelled: the token was cancelled"));
  }

  [[no_unique_address]] internal::PollCheck<UntilCancelledFuture> check_;
  bool started_ = false;
  std::optional<F> future_;  // both are empty once ready
  std::optional<CancelledFuture> cancelled_;
};

// Runs `future` until it is ready or the token is cancelled; then the future is destroyed,
// which cancels it, and the result is kCancelled. Results as of Timeout (home/timer/
// timeout.h): Status for void, StatusOr<T> for T; a Status or StatusOr stays what it is.
// A result that is there wins over a cancellation, but a future whose token is cancelled
// before its first poll is not begun.
// Cancellation: dropping it, like a cancelled token, loses what dropping the future does.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
[[nodiscard]] UntilCancelledFuture<std::remove_cvref_t<F>> RunUntilCancelled(
    CancellationToken token, F&& future) {
  static_assert(!std::is_lvalue_reference_v<F>,
                "RunUntilCancelled takes the future over: std::move it in");
  return UntilCancelledFuture<std::remove_cvref_t<F>>(std::move(token), std::forward<F>(future));
}

// As a stage of a pipe: Fetch(url) | RunUntilCancelled(stop).
// Cancellation: as above, dropping the whole loses what dropping Fetch()'s future does.
[[nodiscard]] inline auto RunUntilCancelled(CancellationToken token) {
  return Pipe([token = std::move(token)](auto&& future) {
    return RunUntilCancelled(token, std::forward<decltype(future)>(future));
  });
}

}  // namespace home

#endif  // HOME_SYNC_CANCELLATION_TOKEN_H_
