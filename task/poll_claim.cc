#include "home/task/poll_claim.h"

#include "absl/base/attributes.h"

namespace home::internal {
namespace {

// Names the calling thread by the address of a variable of its own. Reached
// through this function alone, see spawn.cc.
ABSL_ATTRIBUTE_NOINLINE std::uintptr_t ThisThreadToken() {
  alignas(8) static thread_local char token = 0;
  return reinterpret_cast<std::uintptr_t>(&token);
}

}  // namespace

bool PollClaim::Holder::is_this_thread() const { return (word_ & ~kAwaited) == ThisThreadToken(); }

bool PollClaim::BeginPoll() {
  std::uintptr_t expected = kFree;
  // relaxed: the future's memory is handed from poll to poll by the task's state
  // word, and nothing is read that a TryTake()r wrote: it does not give the claim back.
  return word_.compare_exchange_strong(expected, ThisThreadToken(), std::memory_order_relaxed,
                                       std::memory_order_relaxed);
}

void PollClaim::EndPoll() { Store(kFree); }

void PollClaim::Finish() { Store(kGone); }

void PollClaim::Store(std::uintptr_t word) {
  // release: who takes the claim next, or finds the future gone, sees what this holder did
  // to the future. pairs with: TryTake(), Await().
  const std::uintptr_t before = word_.exchange(word, std::memory_order_release);
  // Only those who say so wait for a poll; a taken claim may be waited for at any time.
  if (before == kTaken || (before & kAwaited) != 0) word_.notify_all();
}

PollClaim::Holder PollClaim::TryTake() {
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

void PollClaim::Await(Holder holder) {
  // acquire: see Store().
  word_.wait(holder.word_, std::memory_order_acquire);
}

}  // namespace home::internal
