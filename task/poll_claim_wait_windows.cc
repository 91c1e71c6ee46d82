// Not by std::atomic's own wait(): where g++ 12 has no futex, it compares the value before it
// takes the lock that it sleeps under, and its notify takes no lock. A wake-up that comes between
// the two is lost.

#include <windows.h>
//
#include <synchapi.h>

#include "home/task/poll_claim.h"

namespace home::internal {

static_assert(sizeof(PollClaimPolicy::Atomic<std::uintptr_t>) == sizeof(std::uintptr_t),
              "the system must see the word that the program sees");

void PollClaimPolicy::WaitWhile(const Atomic<std::uintptr_t>& word, std::uintptr_t value) {
  // The system compares by value; it writes nothing.
  auto* const address = const_cast<Atomic<std::uintptr_t>*>(&word);
  while (word.load(std::memory_order_acquire) == value) {
    // It may come back for no reason, also if it fails.
    WaitOnAddress(address, &value, sizeof(value), INFINITE);
  }
}

void PollClaimPolicy::WakeAll(Atomic<std::uintptr_t>& word) { WakeByAddressAll(&word); }

}  // namespace home::internal
