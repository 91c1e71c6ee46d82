// OwningWorkStealingDeque: a WorkStealingDeque of std::unique_ptr.
//
//   OwningWorkStealingDeque<Job> deque;
//   deque.Push(std::make_unique<Job>(...));                     // owner
//   if (std::unique_ptr<Job> job = deque.Pop()) job->Run();     // owner; null if empty
//   auto stolen = deque.Steal();                                // any thread
//   if (stolen.ok()) std::move(stolen).value()->Run();
//
// A thief reads a slot before it knows whether it may have it, so a slot can't hold an
// object that owns something: the deque holds released pointers, and hands them out as
// owners again, each to the one that claimed it. What is left in the deque at its
// destruction is destroyed, oldest first.
//
// Only pointers: an element of another move-only type would need a box of its own, and an
// allocation a push that the reader of the code does not see. Whoever wants that writes
// std::make_unique<T>(std::move(value)). The deleter must be stateless, for there is no
// room for its state.
//
// Thread-safety, memory ordering and cost are those of WorkStealingDeque.

#ifndef HOME_DEQUE_OWNING_WORK_STEALING_DEQUE_H_
#define HOME_DEQUE_OWNING_WORK_STEALING_DEQUE_H_

#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/deque/deque_policy.h"
#include "home/deque/steal_result.h"
#include "home/deque/work_stealing_deque.h"

namespace home {

template <typename T, typename Deleter = std::default_delete<T>, typename Policy = DequePolicy>
  requires std::is_empty_v<Deleter> && std::is_default_constructible_v<Deleter>
class OwningWorkStealingDeque {
 public:
  using value_type = std::unique_ptr<T, Deleter>;

  explicit OwningWorkStealingDeque(std::size_t capacity = Policy::kMinCapacity)
      : deque_(capacity) {}

  OwningWorkStealingDeque(const OwningWorkStealingDeque&) = delete;
  OwningWorkStealingDeque& operator=(const OwningWorkStealingDeque&) = delete;

  // Destroys what is left. Nobody else may use the deque any more, the destructors of the
  // elements included.
  ~OwningWorkStealingDeque() {
    while (value_type element = PopFront()) {
    }
  }

  // Owner: appends `element`, which must not be null, at the back.
  void Push(value_type element) {
    assert(element != nullptr);
    deque_.Push(element.get());
    // Only now: Push() may throw when it grows, as std::vector's does.
    static_cast<void>(element.release());
  }

  // Owner: takes the newest or the oldest element. Null if the deque is empty.
  [[nodiscard]] value_type Pop() { return value_type(deque_.Pop().value_or(nullptr)); }
  [[nodiscard]] value_type PopFront() { return value_type(deque_.PopFront().value_or(nullptr)); }

  // Any thread: takes the oldest element.
  StealResult<value_type> Steal() { return Owned(deque_.Steal()); }

  // Owner of `into`: as WorkStealingDeque's.
  StealResult<value_type> StealHalf(OwningWorkStealingDeque& into) {
    return Owned(deque_.StealHalf(into.deque_));
  }

  // Any thread: as WorkStealingDeque's; the sink takes value_type.
  template <typename Sink>
  std::size_t SpillHalf(Sink&& sink) {
    return deque_.SpillHalf([&](T* element) { sink(value_type(element)); });
  }

  // As WorkStealingDeque's.
  [[nodiscard]] std::size_t SizeHint() const { return deque_.SizeHint(); }
  [[nodiscard]] bool EmptyHint() const { return deque_.EmptyHint(); }
  [[nodiscard]] std::size_t capacity() const { return deque_.capacity(); }
  void ShrinkToFit() { deque_.ShrinkToFit(); }

 private:
  static StealResult<value_type> Owned(StealResult<T*> stolen) {
    switch (stolen.status()) {
      case StealStatus::kSuccess:
        return StealResult<value_type>::Success(value_type(stolen.value()), stolen.count());
      case StealStatus::kRetry:
        return StealResult<value_type>::Retry();
      case StealStatus::kEmpty:
        break;
    }
    return StealResult<value_type>::Empty();
  }

  WorkStealingDeque<T*, Policy> deque_;
};

}  // namespace home

#endif  // HOME_DEQUE_OWNING_WORK_STEALING_DEQUE_H_
