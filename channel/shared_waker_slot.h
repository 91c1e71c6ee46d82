// SharedWakerSlot: the word of a waker that others may read before they know that it is theirs.
//
// A state word beside the slot says whether there is a waker in it, and numbers the
// registrations: a CAS on it that finds the number unchanged makes the word that was read
// before it the caller's. So taking a waker is one RMW (oneshot.h, sole_wait_queue.h).

#ifndef HOME_CHANNEL_SHARED_WAKER_SLOT_H_
#define HOME_CHANNEL_SHARED_WAKER_SLOT_H_

#include <atomic>

#include "home/future/waker.h"

namespace home::channel_internal {

template <typename Policy>
class SharedWakerSlot {
 public:
  SharedWakerSlot() = default;
  SharedWakerSlot(const SharedWakerSlot&) = delete;
  SharedWakerSlot& operator=(const SharedWakerSlot&) = delete;

  // The target of a waker that may turn out not to be the caller's.
  [[nodiscard]] WakerTarget* Get() const {
    // relaxed: the state word orders the slot. A word that another registration is just
    // replacing is thrown away.
    return target_.load(std::memory_order_relaxed);
  }
  // Copies the word; the caller gives its waker away once the state word tells of it.
  void Put(const Waker& waker) {
    // relaxed: as above.
    target_.store(waker.target(), std::memory_order_relaxed);
  }

 private:
  typename Policy::template Atomic<WakerTarget*> target_{nullptr};
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_SHARED_WAKER_SLOT_H_
