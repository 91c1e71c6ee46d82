// SyncPolicy: what the primitives take from their surroundings.
//
// Their cores are templates over such a policy so that the model checker can put its own
// atomics and its own mutex under the production headers. A program never names it.

#ifndef HOME_SYNC_SYNC_POLICY_H_
#define HOME_SYNC_SYNC_POLICY_H_

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "home/future/lock_watch.h"
#include "home/parker/futex_mutex.h"
#include "home/parker/parker_policy.h"
#include "home/queue/asymmetric_fence.h"

namespace home::sync_internal {

struct SyncPolicy {
  template <typename U>
  using Atomic = std::atomic<U>;
  using Mutex = FutexMutex;

  // How often one who finds a Mutex held looks again before it waits, with a BackOff() before each
  // look; after how many such spins in a row that were in vain it does not, and for how many
  // waits.
  static constexpr int kLooks = 4;
  static constexpr std::uint8_t kVainSpins = 2;
  static constexpr std::uint8_t kUnspunWaits = 32;
  static void BackOff() { ParkerPolicy::BackOff(); }

  // How often one who waits lets itself be overtaken (wait_queue.h).
  static constexpr std::uint8_t kPatience = 3;

  // After how many publications for which nobody waits one may be a store (bias.h): as many as make
  // up for the fence of the one who waits then.
  static constexpr std::uint16_t kQuiet = 1024;
  static void LightFence() { queue_internal::AsymmetricFence::Light(); }
  static void HeavyFence() { queue_internal::AsymmetricFence::Heavy(); }
};

// What `Owner`, which works under `Policy`, has of the lock watch: the model checker's threads are
// none that the watch knows.
template <typename Policy, typename Owner>
using LockMark = std::conditional_t<std::is_same_v<Policy, SyncPolicy>, internal::LockMark<Owner>,
                                    internal::NoLockMark<Owner>>;

}  // namespace home::sync_internal

#endif  // HOME_SYNC_SYNC_POLICY_H_
