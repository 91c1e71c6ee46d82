// WakeList: wakers collected under a lock or inside a loop, woken afterwards.
//
// Waking runs the executor's code and may run a user's. Whoever finds several
// waiters ready therefore collects their wakers first, leaves its lock, and
// wakes them all then.
//
//   WakeList wakes;
//   { std::lock_guard lock(mutex_); while (...) wakes.Push(std::move(w)); }
//   wakes.WakeAll();
//
// Thread-safety: one thread at a time. Cost: no allocation up to 16 wakers; the
// storage is kept for the next round.

#ifndef HOME_FUTURE_WAKE_LIST_H_
#define HOME_FUTURE_WAKE_LIST_H_

#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "home/future/waker.h"

namespace home {

class WakeList {
 public:
  WakeList() = default;
  WakeList(const WakeList&) = delete;
  WakeList& operator=(const WakeList&) = delete;

  void Push(Waker waker) { wakers_.push_back(std::move(waker)); }
  [[nodiscard]] bool empty() const { return wakers_.empty(); }
  [[nodiscard]] std::size_t size() const { return wakers_.size(); }

  // Wakes all in the order in which they were pushed. A waker may push to this
  // list again: what it pushes is woken too.
  void WakeAll() {
    for (std::size_t i = 0; i < wakers_.size(); ++i) {
      Waker waker = std::move(wakers_[i]);
      std::move(waker).Wake();
    }
    wakers_.clear();
  }

  // Hands each, in that order, to `take` instead, which may not push to this list.
  template <typename Take>
  void TakeAll(Take take) {
    for (Waker& waker : wakers_) take(std::move(waker));
    wakers_.clear();
  }

 private:
  absl::InlinedVector<Waker, 16> wakers_;
};

}  // namespace home

#endif  // HOME_FUTURE_WAKE_LIST_H_
