// AsymmetricFence: a store-load barrier whose price only one side pays.
//
// Two threads each store to a word of their own and then look at the other's. At least one
// must see the other's store; for this both need a barrier in between. If one side does this
// all the time and the other seldom, the first uses Light(), which costs nothing, and the
// second Heavy(), which makes every thread of the process that runs at that moment execute a
// barrier (on Linux: membarrier, PRIVATE_EXPEDITED, some microseconds).
//
// Where the kernel has no such call, or refuses it, both are ordinary seq_cst fences. That is
// found out at run time, once. The platform's source file says how (asymmetric_fence_linux.cc,
// asymmetric_fence_generic.cc), chosen in BUILD.
//
// Memory ordering: a Light() and a Heavy() order like two seq_cst fences; two Light() order
// nothing.

#ifndef HOME_QUEUE_ASYMMETRIC_FENCE_H_
#define HOME_QUEUE_ASYMMETRIC_FENCE_H_

#include <atomic>

#include "absl/base/optimization.h"

namespace home::queue_internal {

// The platform's part.

// Makes every running thread of the process execute a barrier, or returns false if this
// cannot be had here. The same answer every time.
bool BarrierOnAllThreads();

class AsymmetricFence {
 public:
  static void Light() {
    // relaxed: whoever reads an old `false` executes a real fence, which is always right.
    if (ABSL_PREDICT_TRUE(is_light_.load(std::memory_order_relaxed))) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  }

  static void Heavy() {
    // In program order before the barrier, lest this thread's own accesses move.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    static_cast<void>(BarrierOnAllThreads());
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  // Whether Light() is really light.
  static bool IsAsymmetric() { return is_light_.load(std::memory_order_relaxed); }

 private:
  // False until it is known that Heavy() will do the work for both.
  static const std::atomic<bool> is_light_;
};

}  // namespace home::queue_internal

#endif  // HOME_QUEUE_ASYMMETRIC_FENCE_H_
