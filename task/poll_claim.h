// PollClaim: who may touch a structured task's future.
//
// The state word says which worker polls a task, but it can't take a task out of a
// queue. A structured task's future must be gone when its scope is, wherever the task
// is then; so each poll takes this claim first, and whoever ends the scope takes it for
// good:
//
//   kFree          nobody has the future
//   kTaken         somebody outside of the task has it, and will not give it back: the
//                  scope, or the worker that cancels the task
//   kGone          it is destroyed
//   other values   a worker polls it: the token of its thread, with kAwaited set once
//                  somebody waits for the poll's end
//
// Thread-safety: BeginPoll, EndPoll and Finish: the worker that runs the task. TryTake and
// Await: anybody who keeps the claim's memory. Cost: two RMWs a poll. Blocking: Await only.

#ifndef HOME_TASK_POLL_CLAIM_H_
#define HOME_TASK_POLL_CLAIM_H_

#include <atomic>
#include <cstdint>

#include "home/task/chaos.h"

namespace home::internal {

class PollClaim {
 public:
  // What TryTake() found.
  class Holder {
   public:
    // The caller has the claim now.
    [[nodiscard]] bool none() const { return word_ == kFree; }
    // The future is destroyed.
    [[nodiscard]] bool gone() const { return word_ == kGone; }
    // The calling thread polls it at this moment: to wait for that would be for ever.
    [[nodiscard]] bool is_this_thread() const;

   private:
    friend class PollClaim;
    explicit Holder(std::uintptr_t word) : word_(word) {}
    std::uintptr_t word_;
  };

  PollClaim() = default;
  PollClaim(const PollClaim&) = delete;
  PollClaim& operator=(const PollClaim&) = delete;

  // False: the future belongs to somebody else now, or is gone.
  [[nodiscard]] bool BeginPoll();
  // After a poll that was pending. Whoever waited may destroy the future from now on.
  void EndPoll();
  // After the destruction of the future, by whoever has the claim.
  void Finish();
  // Takes the claim, unless somebody has it.
  [[nodiscard]] Holder TryTake();
  // Blocks until `holder` has let go; then TryTake() is due again.
  void Await(Holder holder);

 private:
  static constexpr std::uintptr_t kFree = 0;
  static constexpr std::uintptr_t kGone = 1;
  static constexpr std::uintptr_t kTaken = 2;
  static constexpr std::uintptr_t kAwaited = 1;
  static constexpr std::uintptr_t kFirstToken = 4;

  void Store(std::uintptr_t word);

  Atomic<std::uintptr_t> word_{kFree};
};

}  // namespace home::internal

#endif  // HOME_TASK_POLL_CLAIM_H_
