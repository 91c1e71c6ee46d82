// SyncPolicy: what the primitives take from their surroundings.
//
// Their cores are templates over such a policy so that the model checker can put its own
// atomics and its own mutex under the production headers. A program never names it.

#ifndef HOME_SYNC_SYNC_POLICY_H_
#define HOME_SYNC_SYNC_POLICY_H_

#include <atomic>
#include <cstdint>

#include "home/parker/cpu_relax.h"
#include "home/parker/futex_mutex.h"

namespace home::sync_internal {

struct SyncPolicy {
  template <typename U>
  using Atomic = std::atomic<U>;
  using Mutex = FutexMutex;

  // How long one who finds a Mutex held looks on before it waits: about as long as falling asleep
  // and being woken would take.
  static constexpr int kSpins = 8;
  static void Relax() { parker_internal::CpuRelax(); }

  // How often one who waits lets itself be overtaken (wait_queue.h).
  static constexpr std::uint8_t kPatience = 3;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_SYNC_POLICY_H_
