// SharedWakerSlot: the words of a waker that others may read before they know that it is theirs.
//
// A state word beside the slot says whether there is a waker in it, and numbers the
// registrations: a CAS on it that finds the number unchanged makes the words that were read
// before it the caller's. So taking a waker is one RMW (oneshot.h, sole_wait_queue.h).

#ifndef HOME_CHANNEL_SHARED_WAKER_SLOT_H_
#define HOME_CHANNEL_SHARED_WAKER_SLOT_H_

#include <atomic>

#include "home/future/waker.h"

namespace home::channel_internal {

// The words of a waker that may turn out not to be ours.
struct RawWaker {
  void* data = nullptr;
  const WakerVTable* vtable = nullptr;

  // The waker, which is the caller's: once for a waker that was put in.
  [[nodiscard]] Waker Own() const { return Waker(data, vtable); }
  // As Waker::WillWake().
  [[nodiscard]] bool WillWake(const Waker& other) const {
    return data == other.data() && vtable == other.vtable();
  }
};

template <typename Policy>
class SharedWakerSlot {
 public:
  SharedWakerSlot() = default;
  SharedWakerSlot(const SharedWakerSlot&) = delete;
  SharedWakerSlot& operator=(const SharedWakerSlot&) = delete;

  [[nodiscard]] RawWaker Get() const {
    // relaxed, all: the state word orders the slot. Words that another registration is just
    // replacing are thrown away.
    return {data_.load(std::memory_order_relaxed), vtable_.load(std::memory_order_relaxed)};
  }
  // Copies the words; the caller gives its waker away once the state word tells of it.
  void Put(const Waker& waker) {
    data_.store(waker.data(), std::memory_order_relaxed);
    vtable_.store(waker.vtable(), std::memory_order_relaxed);
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  Atomic<void*> data_{nullptr};
  Atomic<const WakerVTable*> vtable_{nullptr};
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_SHARED_WAKER_SLOT_H_
