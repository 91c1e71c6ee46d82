// Wait: the place of one future in a WaitQueue, and the loop around it.
//
// What is waited for is a side of a channel:
//
//   struct Side {
//     WaitQueue<Policy>& queue();
//     bool Take();    // tries; true once the future is done, with a value or an end
//     bool Look();    // whether somebody's Take() would get something now, or the end
//     void Enter();   // the future begins to wait
//     void Leave();   // it does so no more, and is about to take, or is dropped
//   };

#ifndef HOME_CHANNEL_WAIT_H_
#define HOME_CHANNEL_WAIT_H_

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/channel/wait_queue.h"
#include "home/future/waker.h"

namespace home::channel_internal {

template <typename Policy>
class Wait {
 public:
  using Queue = WaitQueue<Policy>;

  Wait() = default;
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  // True once side.Take() was. Otherwise `waker` is woken when it is worth another poll.
  template <typename Side>
  bool Poll(Side& side, const Waker& waker) {
    if (ABSL_PREDICT_TRUE(!waiting_ && !side.queue().MustQueue()) && side.Take()) return true;
    return PollSlowly(side, waker);
  }

  // The future is dropped before it was done.
  template <typename Side>
  void Cancel(Side& side) {
    if (!waiting_) return;
    waiting_ = false;
    const bool notified = side.queue().Remove(waiter_);
    side.Leave();
    if (notified) Finish(side);
  }

  [[nodiscard]] bool waiting() const { return waiting_; }

 private:
  // Where a fresh future found nothing, or one waits already.
  template <typename Side>
  ABSL_ATTRIBUTE_NOINLINE bool PollSlowly(Side& side, const Waker& waker) {
    Queue& queue = side.queue();
    if (waiting_) {
      if (queue.Begin(waiter_, waker) == Queue::Turn::kSleep) return false;
      waiting_ = false;
      side.Leave();
      if (side.Take()) return Finish(side);
    }
    while (true) {
      waiting_ = true;
      side.Enter();
      const bool may_take = queue.Add(waiter_, waker);
      if (!side.Look()) return false;
      if (!may_take) {
        queue.Notify();
        return false;
      }
      waiting_ = false;
      const bool notified = queue.Remove(waiter_);
      side.Leave();
      if (side.Take()) return notified ? Finish(side) : true;
    }
  }

  // Others rely on one who was notified: what it left goes on to the next.
  template <typename Side>
  bool Finish(Side& side) {
    side.queue().Done(waiter_);
    if (side.Look()) side.queue().Notify();
    return true;
  }

  typename Queue::Waiter waiter_;
  bool waiting_ = false;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_WAIT_H_
