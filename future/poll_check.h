// PollCheck: how a future notices that it is misused.
//
// The contract of home/future/future.h asks two things of whoever uses a future:
// not to move it between its first poll and its end, and not to poll it after
// Ready. A debug build dies on either with a message that names the combinator:
//
//   static constexpr const char* kName = "Map";
//   home::Poll<Output> Poll(Context& cx) {
//     check_.Begin();
//     if (...) return check_.Pending();
//     return value;
//   }
//   [[no_unique_address]] internal::PollCheck<MapFuture> check_;
//
// A future whose poll threw is finished too: Begin() takes the poll for the last
// one until Pending() says otherwise.
//
// Cost: none where NDEBUG is defined, a byte and a comparison a poll where it is
// not. All code of a program has to be compiled one way or the other.

#ifndef HOME_FUTURE_POLL_CHECK_H_
#define HOME_FUTURE_POLL_CHECK_H_

#include <cstdint>

#include "home/future/poll.h"

namespace home::internal {

// Dies with the message that a `name` was polled after its end.
[[noreturn]] void DieOfPollAfterReady(const char* name) noexcept;
// Dies with the message that a `name` was moved after its first poll.
[[noreturn]] void DieOfMoveAfterPoll(const char* name) noexcept;
// The same for streams (stream_check.h).
[[noreturn]] void DieOfPollAfterEnd(const char* name) noexcept;
[[noreturn]] void DieOfStreamMoveAfterPoll(const char* name) noexcept;

#if defined(NDEBUG)

// `Owner` makes the types of nested futures' members differ, so that none needs
// an address of its own.
template <typename Owner>
class PollCheck {
 public:
  constexpr PollCheck() noexcept = default;
  constexpr PollCheck(const PollCheck&) noexcept = default;
  PollCheck& operator=(const PollCheck&) = delete;

  constexpr void Begin() const noexcept {}
  constexpr PendingTag Pending() const noexcept { return kPending; }
};

#else

template <typename Owner>
class PollCheck {
 public:
  PollCheck() noexcept = default;
  PollCheck(const PollCheck& other) noexcept : state_(other.state_) {
    if (state_ == State::kWaiting) DieOfMoveAfterPoll(Owner::kName);
  }
  PollCheck& operator=(const PollCheck&) = delete;
  ~PollCheck() = default;

  // First thing in a poll.
  void Begin() noexcept {
    if (state_ == State::kFinished) DieOfPollAfterReady(Owner::kName);
    state_ = State::kFinished;
  }
  // Last thing in a poll that does not finish.
  PendingTag Pending() noexcept {
    state_ = State::kWaiting;
    return kPending;
  }

 private:
  enum class State : std::uint8_t { kFresh, kWaiting, kFinished };
  State state_ = State::kFresh;
};

#endif

}  // namespace home::internal

#endif  // HOME_FUTURE_POLL_CHECK_H_
