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

struct PollClaimPolicy {
  template <typename T>
  using Atomic = internal::Atomic<T>;

  // Names the calling thread, by a multiple of 4 that is not 0.
  [[nodiscard]] static std::uintptr_t ThisThread() noexcept;
  // Blocks while the word has this value. acquire: as whoever waits needs it.
  static void WaitWhile(const Atomic<std::uintptr_t>& word, std::uintptr_t value);
  static void WakeAll(Atomic<std::uintptr_t>& word);
};

template <typename Policy = PollClaimPolicy>
class BasicPollClaim {
 public:
  // What TryTake() found.
  class Holder {
   public:
    // The caller has the claim now.
    [[nodiscard]] bool none() const { return word_ == kFree; }
    // The future is destroyed.
    [[nodiscard]] bool gone() const { return word_ == kGone; }
    // The calling thread polls it at this moment: to wait for that would be for ever.
    [[nodiscard]] bool is_this_thread() const {
      return (word_ & ~kAwaited) == Policy::ThisThread();
    }

   private:
    friend class BasicPollClaim;
    explicit Holder(std::uintptr_t word) : word_(word) {}
    std::uintptr_t word_;
  };

  BasicPollClaim() = default;
  BasicPollClaim(const BasicPollClaim&) = delete;
  BasicPollClaim& operator=(const BasicPollClaim&) = delete;

  // False: the future belongs to somebody else now, or is gone.
  [[nodiscard]] bool BeginPoll() {
    std::uintptr_t expected = kFree;
    // relaxed: the future's memory is handed from poll to poll by the task's state
    // word, and nothing is read that a TryTake()r wrote: it does not give the claim back.
    return word_.compare_exchange_strong(expected, Policy::ThisThread(), std::memory_order_relaxed,
                                         std::memory_order_relaxed);
  }

  // After a poll that was pending. Whoever waited may destroy the future from now on.
  void EndPoll() { Store(kFree); }

  // After the destruction of the future, by whoever has the claim.
  void Finish() { Store(kGone); }

  // Takes the claim, unless somebody has it.
  [[nodiscard]] Holder TryTake() {
    std::uintptr_t seen = kFree;
    // acquire: see Store(), also on failure, where `seen` may be kGone.
    while (!word_.compare_exchange_strong(seen, kTaken, std::memory_order_acquire,
                                          std::memory_order_acquire)) {
      if (seen < kFirstToken || (seen & kAwaited) != 0) return Holder(seen);
      // relaxed: it passes nothing on; what the poll does comes with its Store().
      if (word_.compare_exchange_strong(seen, seen | kAwaited, std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
        return Holder(seen | kAwaited);
      }
      seen = kFree;
    }
    return Holder(kFree);
  }

  // Blocks until `holder` has let go; then TryTake() is due again.
  void Await(Holder holder) { Policy::WaitWhile(word_, holder.word_); }

 private:
  static constexpr std::uintptr_t kFree = 0;
  static constexpr std::uintptr_t kGone = 1;
  static constexpr std::uintptr_t kTaken = 2;
  static constexpr std::uintptr_t kAwaited = 1;
  static constexpr std::uintptr_t kFirstToken = 4;

  void Store(std::uintptr_t word) {
    // release: who takes the claim next, or finds the future gone, sees what this holder did
    // to the future. pairs with: TryTake(), Await().
    const std::uintptr_t before = word_.exchange(word, std::memory_order_release);
    // Only those who say so wait for a poll; a taken claim may be waited for at any time.
    if (before == kTaken || (before & kAwaited) != 0) Policy::WakeAll(word_);
  }

  typename Policy::template Atomic<std::uintptr_t> word_{kFree};
};

using PollClaim = BasicPollClaim<>;

}  // namespace home::internal

#endif  // HOME_TASK_POLL_CLAIM_H_
