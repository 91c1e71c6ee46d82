// WaiterList: all who wait for the same event, in a list under their channel's mutex.
//
// For channels that wake everybody at once (broadcast, watch), where nothing is granted to
// anyone: who was woken looks, and waits again if there is nothing for it. WaitQueue is for
// channels in which waiters compete.
//
// No waker is cloned, woken or dropped under the mutex.

#ifndef HOME_CHANNEL_WAITER_LIST_H_
#define HOME_CHANNEL_WAITER_LIST_H_

#include <mutex>
#include <utility>

#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home::channel_internal {

// All members, and those of its waiters, belong to the mutex.
class WaiterList {
 public:
  // Inside of a future, which calls Forget() before it goes.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    friend class WaiterList;
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
    Waker waker_;
    bool listed_ = false;
  };

  WaiterList() = default;
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;

  // The poll of a waiting future: true if `take()` was, which is called under the mutex. Else
  // the waiter is in the list, with `current`.
  template <typename Mutex, typename Take>
  bool Poll(Mutex& mutex, Waiter& waiter, const Waker& current, Take take) {
    Waker stale;  // dropped after the mutex is released, like fresh
    Waker fresh;
    for (bool cloned = false;; cloned = true) {
      if (cloned) fresh = current.Clone();
      const std::lock_guard lock(mutex);
      if (take()) {
        if (waiter.listed_) Unlink(waiter);
        stale = std::move(waiter.waker_);
        return true;
      }
      if (waiter.listed_ && waiter.waker_.WillWake(current)) return false;
      if (cloned) {
        stale = std::exchange(waiter.waker_, std::move(fresh));
        if (!waiter.listed_) Link(waiter);
        return false;
      }
    }
  }

  // The future goes.
  template <typename Mutex>
  void Forget(Mutex& mutex, Waiter& waiter) {
    Waker stale;
    const std::lock_guard lock(mutex);
    if (waiter.listed_) Unlink(waiter);
    stale = std::move(waiter.waker_);
  }

  // Under the mutex: takes everybody out. The caller wakes them when it has released it.
  void TakeAll(WakeList& wakes) {
    while (first_ != nullptr) {
      Waiter& waiter = *first_;
      Unlink(waiter);
      wakes.Push(std::move(waiter.waker_));
    }
  }

 private:
  void Link(Waiter& waiter) {
    waiter.previous_ = last_;
    waiter.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &waiter;
    last_ = &waiter;
    waiter.listed_ = true;
  }
  void Unlink(Waiter& waiter) {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
    waiter.listed_ = false;
  }

  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_WAITER_LIST_H_
