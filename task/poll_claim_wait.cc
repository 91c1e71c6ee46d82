#include "home/task/poll_claim.h"

namespace home::internal {

void PollClaimPolicy::WaitWhile(const Atomic<std::uintptr_t>& word, std::uintptr_t value) {
  word.wait(value, std::memory_order_acquire);
}

void PollClaimPolicy::WakeAll(Atomic<std::uintptr_t>& word) { word.notify_all(); }

}  // namespace home::internal
