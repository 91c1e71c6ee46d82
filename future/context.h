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
//
// Alone: a future may offer, beside Poll(), a PollAlone() that is called if the task waits
// for it and nothing else. A task knows that of its future, a coroutine that is polled so
// of what it awaits, and nobody else does: combinators poll their children with Poll().
// (See join_handle.h for what it is good for.)

#ifndef HOME_FUTURE_CONTEXT_H_
#define HOME_FUTURE_CONTEXT_H_

#include <cstdint>

#include "home/future/poll.h"
#include "home/future/waker.h"

namespace home {

class TaskHeader;

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
  // Set by an executor that looks at `again`: the waker of the task itself.
  const Waker* waker = nullptr;
  // Set by a leaf that wants the task polled again after others.
  bool again = false;
  // Set by an executor that can hand over (run_task.h): the task that it would run next.
  const TaskHeader* next = nullptr;
  // Set by a task that waits for `next` and for nothing else; no waker is registered.
  bool awaits_next = false;
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

  // Has the task polled again after others, for a leaf that returns Pending though it waits for
  // nothing. As if the task was woken; but an executor that knows that it has not needs no RMW to
  // put it back in a queue.
  void PollAgain() noexcept {
    // Under another waker there may be somebody who wants to know whom to poll.
    if (turn_ != nullptr && turn_->waker == waker_) {
      turn_->again = true;
    } else {
      waker_->WakeByRef();
    }
  }

  // Spends one step. False: the budget is used up, the task will run again after others, and
  // the leaf must return Pending now.
  [[nodiscard]] bool ConsumeBudget() noexcept {
    if (turn_ == nullptr) return true;
    if (turn_->budget == 0) {
      turn_->budget_exhausted = true;
      turn_->wait_reason = "its next turn (the budget is used up)";
      PollAgain();
      return false;
    }
    --turn_->budget;
    return true;
  }

  // The chain of coroutines that is polled alone, by its root's promise, or null.
  [[nodiscard]] const void* alone() const noexcept { return alone_; }
  void set_alone(const void* chain) noexcept { alone_ = chain; }

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
  const void* alone_ = nullptr;
};

}  // namespace home

#endif  // HOME_FUTURE_CONTEXT_H_
