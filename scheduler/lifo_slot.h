// LifoSlot: room for one task beside a worker's deque, for the one that was woken last.
//
// Only the owner fills the slot; the owner and thieves empty it. So an empty slot stays
// empty for the owner, who then fills it with a mere store; whatever takes a task out of it
// is an RMW, as another may be quicker, but for an owner without thieves.
//
//  L1  A task that is put in comes out once: from one Take(), Steal() or Replace().
//  L2  Who takes a task that another thread has put in has acquired it. The owner takes
//      what it has put in itself, and nobody reads anything behind an empty slot: no other
//      order is needed.
//
// It is a template so that the model checker runs it (lifo_slot_model_test.cc).
//
// Thread-safety: Steal and empty by any thread, the rest is the owner's. Cost: a store to
// fill an empty slot, an RMW for all else where there are thieves.

#ifndef HOME_SCHEDULER_LIFO_SLOT_H_
#define HOME_SCHEDULER_LIFO_SLOT_H_

#include <atomic>

#include "home/task/chaos.h"

namespace home::scheduler_internal {

template <typename T, template <typename> class Atomic = internal::Atomic>
class LifoSlot {
 public:
  LifoSlot() = default;
  LifoSlot(const LifoSlot&) = delete;
  LifoSlot& operator=(const LifoSlot&) = delete;

  // Any thread; but for the owner it is a guess that an RMW has to verify.
  [[nodiscard]] bool empty() const {
    // relaxed: nothing behind the pointer is read; where it has to be seen in time the
    // RMW of idle.h orders it.
    return slot_.load(std::memory_order_relaxed) == nullptr;
  }

  // Owner, of an empty slot.
  void Fill(T* task) {
    // release: a thief sees the task. pairs with: Steal().
    slot_.store(task, std::memory_order_release);
  }
  // Owner: the task that was there, or null if a thief was quicker. `thieves`, here and below:
  // whether anybody else may Steal().
  [[nodiscard]] T* Replace(T* task, bool thieves) {
    // release: as Fill(). No acquire (L2).
    if (thieves) return slot_.exchange(task, std::memory_order_release);
    // relaxed: nobody else is there.
    T* const before = slot_.load(std::memory_order_relaxed);
    slot_.store(task, std::memory_order_relaxed);
    return before;
  }
  // Owner: the task, or null.
  [[nodiscard]] T* Take(bool thieves) {
    // relaxed, here and below: L2.
    if (thieves) return slot_.exchange(nullptr, std::memory_order_relaxed);
    T* const task = slot_.load(std::memory_order_relaxed);
    slot_.store(nullptr, std::memory_order_relaxed);
    return task;
  }

  // Any thread: the task, or null.
  [[nodiscard]] T* Steal() {
    // A look first leaves the cache line where it is.
    if (empty()) return nullptr;
    // acquire: the task. pairs with: Fill(), Replace().
    return slot_.exchange(nullptr, std::memory_order_acquire);
  }

 private:
  Atomic<T*> slot_{nullptr};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_LIFO_SLOT_H_
