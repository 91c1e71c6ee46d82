// Wait: the place of one future in a queue of those who wait, and the loop around it.
//
// What is waited for is described by a side, such as that of a channel's receivers:
//
//   struct Side {
//     Queue& queue();  // a WaitQueue, or what has the same calls
//     bool Take();     // tries; true once the future is done, with a value or an end
//     bool Spin();     // optional: Take() a few times more, before the future falls asleep
//     bool Look();     // whether somebody's Take() would get something now, or the end
//     void Enter();    // the future begins to wait
//     void Listed();   // optional: it is in the queue now, and will look
//     void Leave();    // it does so no more, and is about to take, or is dropped
//     void Receive();  // if HandOver() is called: the future has the lock now
//     void Return();   // the same: gives back what the future was handed, since it is dropped
//   };

#ifndef HOME_SYNC_WAIT_H_
#define HOME_SYNC_WAIT_H_

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/fatal.h"
#include "home/future/waker.h"

namespace home::sync_internal {

template <typename Queue>
class Wait {
 public:
  Wait() = default;
  // Of one that has not begun.
  Wait(Wait&& other) noexcept {
    if (other.waiting_) Fatal("a future that waits was moved after its first poll");
  }
  Wait& operator=(Wait&&) = delete;
  ~Wait() = default;

  // True once side.Take() was. Otherwise `waker` is woken when it is worth another poll.
  template <typename Side>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool Poll(Side& side, const Waker& waker) {
    if (ABSL_PREDICT_TRUE(!waiting_ && !side.queue().MustQueue()) && side.Take()) return true;
    return PollSlowly(side, waker);
  }
  // The same for a caller who is out of line itself, for want of something.
  template <typename Side>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool PollHere(Side& side, const Waker& waker) {
    if (!waiting_ && !side.queue().MustQueue() && side.Take()) return true;
    return WaitOn(side, waker);
  }

  // The future is dropped before it was done.
  template <typename Side>
  ABSL_ATTRIBUTE_NOINLINE void Cancel(Side& side) {
    if (!waiting_) return;
    waiting_ = false;
    const bool notified = side.queue().Remove(waiter_);
    side.Leave();
    if constexpr (kHandsOver<Side>) {
      if (side.queue().HasLock(waiter_)) return side.Return();
    }
    if (notified) Finish(side);
  }

  [[nodiscard]] bool waiting() const { return waiting_; }

 private:
  template <typename Side>
  static constexpr bool kHandsOver = requires(Side side) { side.Receive(); };

  template <typename Side>
  ABSL_ATTRIBUTE_NOINLINE bool PollSlowly(Side& side, const Waker& waker) {
    return WaitOn(side, waker);
  }
  // Where a fresh future found nothing, or one waits already.
  template <typename Side>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool WaitOn(Side& side, const Waker& waker) {
    Queue& queue = side.queue();
    if (waiting_) {
      const typename Queue::Turn turn = queue.Begin(waiter_, waker);
      if (turn == Queue::Turn::kSleep) return false;
      waiting_ = false;
      side.Leave();
      if constexpr (kHandsOver<Side>) {
        if (turn == Queue::Turn::kHasLock) return HasLock(side);
      }
      if (side.Take() || Spin(side)) return Finish(side);
    } else if (!queue.MustQueue() && Spin(side)) {
      return true;
    }
    while (true) {
      waiting_ = true;
      side.Enter();
      const bool may_take = queue.Add(waiter_, waker);
      if constexpr (requires { side.Listed(); }) side.Listed();
      if (!side.Look()) return false;
      if (!may_take) {
        queue.Notify();
        return false;
      }
      waiting_ = false;
      const bool notified = queue.Remove(waiter_);
      side.Leave();
      if constexpr (kHandsOver<Side>) {
        if (queue.HasLock(waiter_)) return HasLock(side);
      }
      if (side.Take()) return notified ? Finish(side) : true;
    }
  }

  template <typename Side>
  bool Spin(Side& side) {
    if constexpr (requires { side.Spin(); }) return side.Spin();
    return false;
  }

  template <typename Side>
  bool HasLock(Side& side) {
    side.queue().Done(waiter_);
    side.Receive();
    return true;
  }

  // Others rely on one who was notified: what it left goes on to the next.
  template <typename Side>
  bool Finish(Side& side) {
    side.queue().Done(waiter_);
    if constexpr (Queue::kHasOthers) {
      if (side.Look()) side.queue().Notify();
    }
    return true;
  }

  typename Queue::Waiter waiter_;
  bool waiting_ = false;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_WAIT_H_
