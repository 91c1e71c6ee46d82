// Context: what a poll is given. It carries the waker to keep and the
// cooperative budget to spend.
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

#ifndef HOME_FUTURE_CONTEXT_H_
#define HOME_FUTURE_CONTEXT_H_

#include <cstdint>

#include "home/future/waker.h"

namespace home {

// Steps left in the current poll of a task. Lives on the worker's stack.
struct Budget {
  std::uint32_t remaining = 0;
  // Set once a leaf was refused, so that the executor can count it.
  bool exhausted = false;
};

// Lives for one poll, on the stack of whoever polls. Used by one thread.
class Context {
 public:
  // `waker` and `budget` must outlive the context. No budget means no limit.
  explicit Context(const Waker& waker, Budget* budget = nullptr) noexcept
      : waker_(&waker), budget_(budget) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const Waker& waker() const noexcept { return *waker_; }
  // For contexts that wrap this one with another waker and share its budget.
  [[nodiscard]] Budget* budget() const noexcept { return budget_; }

  // Spends one step. False: the budget is used up, the task is already woken
  // to run again after others, and the leaf must return Pending now.
  [[nodiscard]] bool ConsumeBudget() noexcept {
    if (budget_ == nullptr) return true;
    if (budget_->remaining == 0) {
      budget_->exhausted = true;
      waker_->WakeByRef();
      return false;
    }
    --budget_->remaining;
    return true;
  }

 private:
  const Waker* waker_;
  Budget* budget_;
};

}  // namespace home

#endif  // HOME_FUTURE_CONTEXT_H_
