// Context: what a poll is given. It carries the waker to keep, the cooperative
// budget to spend, and the place where to say what the task waits for.
//
// Budget: an executor may grant a task a number of steps a poll, so that a
// task whose futures are always ready can't starve its worker. A leaf that
// completed an operation (a message received, bytes read) spends one step
// before it does so:
//
//   if (!cx.ConsumeBudget()) return kPending;
//
// The budget belongs to the executor that made the context. A foreign executor
// grants none, and then no leaf ever yields for its sake (see
// tokio#2376 for what happens otherwise).
//
// Wait reason: a leaf that waits says for what, in a word that people read in a
// debugger or in a list of tasks:
//
//   return cx.PendingFor("sleep");
//
// Of several that were polled in one turn the last one counts. A future that says
// nothing is known by the name of its type, if a coroutine or a task waits for it
// directly.

#ifndef HOME_FUTURE_CONTEXT_H_
#define HOME_FUTURE_CONTEXT_H_

#include <cstdint>

#include "home/future/poll.h"
#include "home/future/waker.h"

namespace home {

// One poll of a task: what its executor grants it, and learns of it. Lives with the
// executor, and is its thread's alone.
struct Turn {
  // Steps left.
  std::uint32_t budget = 0;
  // Set once a leaf was refused, so that the executor can count it.
  bool budget_exhausted = false;
  // What the task waits for, should it be pending; a string that lives for ever, or
  // null.
  const char* wait_reason = nullptr;
};

// Lives for one poll, on the stack of whoever polls. Used by one thread.
class Context {
 public:
  // `waker` and `turn` must outlive the context. No turn: no limit to the budget,
  // and nobody asks what is waited for.
  explicit Context(const Waker& waker, Turn* turn = nullptr) noexcept
      : waker_(&waker), turn_(turn) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const Waker& waker() const noexcept { return *waker_; }
  // For contexts that wrap this one with another waker and share its turn.
  [[nodiscard]] Turn* turn() const noexcept { return turn_; }

  // Spends one step. False: the budget is used up, the task is already woken
  // to run again after others, and the leaf must return Pending now.
  [[nodiscard]] bool ConsumeBudget() noexcept {
    if (turn_ == nullptr) return true;
    if (turn_->budget == 0) {
      turn_->budget_exhausted = true;
      turn_->wait_reason = "its next turn (the budget is used up)";
      waker_->WakeByRef();
      return false;
    }
    --turn_->budget;
    return true;
  }

  // What a leaf returns that waits for `reason`, a string that lives for ever.
  [[nodiscard]] PendingTag PendingFor(const char* reason) noexcept {
    if (turn_ != nullptr) turn_->wait_reason = reason;
    return kPending;
  }
  // For whoever waits for another future: `reason` counts if nobody gave a better one.
  void NoteWait(const char* reason) noexcept {
    if (turn_ != nullptr && turn_->wait_reason == nullptr) turn_->wait_reason = reason;
  }

 private:
  const Waker* waker_;
  Turn* turn_;
};

}  // namespace home

#endif  // HOME_FUTURE_CONTEXT_H_
