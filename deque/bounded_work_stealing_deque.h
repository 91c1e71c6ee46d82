// BoundedWorkStealingDeque: a WorkStealingDeque that never grows.
//
//   BoundedWorkStealingDeque<Task*> deque(256);
//   if (!deque.TryPush(task)) ...                          // owner: it is full
//   deque.Push(task, [&](Task* t) { global.Push(t); });    // owner: or give half away
//
// For an owner whose surplus is better off elsewhere: a queue that all share, where idle
// workers look first. When the deque is full, Push() takes the older half out, in batches of
// one claim each, and hands it to the sink, oldest first; the new element goes in. So the
// cost of giving away is spread over half a capacity of pushes.
//
// Everything else, thread-safety, memory ordering and proofs included, is that of
// WorkStealingDeque, which does the work. Its buffer is allocated once, is never replaced,
// and is read without protection, whatever its size.

#ifndef HOME_DEQUE_BOUNDED_WORK_STEALING_DEQUE_H_
#define HOME_DEQUE_BOUNDED_WORK_STEALING_DEQUE_H_

#include <cstddef>
#include <optional>

#include "home/deque/deque_policy.h"
#include "home/deque/steal_result.h"
#include "home/deque/work_stealing_deque.h"

namespace home {

template <DequeElement T, typename Policy = DequePolicy>
class BoundedWorkStealingDeque {
 public:
  using value_type = T;

  // Room for `capacity` elements, rounded up to a power of two and at least
  // Policy::kMinCapacity.
  explicit BoundedWorkStealingDeque(std::size_t capacity) : deque_(capacity) {}

  // Owner: appends `value` at the back. False, and nothing done, if the deque is full.
  // Never allocates.
  [[nodiscard]] bool TryPush(T value) {
    if (deque_.SizeHint() >= deque_.capacity()) return false;
    deque_.Push(value);
    return true;
  }

  // Owner: appends `value` at the back. If the deque is full, half of it goes to
  // `sink(T)` first, oldest first; the sink must not use the deque. Returns how many went.
  template <typename Sink>
  std::size_t Push(T value, Sink&& sink) {
    std::size_t spilled = 0;
    const std::size_t half = (capacity() + 1) / 2;
    while (!TryPush(value)) {
      // A claim that fails lost to a thief's: then there is room as well.
      do {
        spilled += deque_.SpillHalf(sink);
      } while (deque_.SizeHint() > capacity() - half);
    }
    return spilled;
  }

  // As WorkStealingDeque's. The owner:
  [[nodiscard]] std::optional<T> Pop() { return deque_.Pop(); }
  [[nodiscard]] std::optional<T> PopFront() { return deque_.PopFront(); }
  // Any thread:
  StealResult<T> Steal() { return deque_.Steal(); }
  template <typename Sink>
  std::size_t SpillHalf(Sink&& sink) {
    return deque_.SpillHalf(sink);
  }
  [[nodiscard]] std::size_t SizeHint() const { return deque_.SizeHint(); }
  [[nodiscard]] bool EmptyHint() const { return deque_.EmptyHint(); }

  // The owner of `into`: as WorkStealingDeque's, but takes no more than `into` has room for,
  // one element at least.
  StealResult<T> StealHalf(BoundedWorkStealingDeque& into) {
    return deque_.StealHalf(into.deque_, into.capacity() - into.SizeHint() + 1);
  }

  // How many elements there can be.
  [[nodiscard]] std::size_t capacity() const { return deque_.capacity(); }

 private:
  WorkStealingDeque<T, Policy> deque_;
};

}  // namespace home

#endif  // HOME_DEQUE_BOUNDED_WORK_STEALING_DEQUE_H_
