// FanOut: what the channels share in which all receivers learn of every value at once.
//
// A mutex over everything, the counts of the handles, and those who wait. Nothing is granted to
// anyone: who was woken looks, and waits again if there is nothing for it. (Channels in which
// receivers compete have a WaitQueue instead.)

#ifndef HOME_CHANNEL_FAN_OUT_H_
#define HOME_CHANNEL_FAN_OUT_H_

#include <cstddef>
#include <mutex>

#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/wake_list.h"
#include "home/sync/waiter_list.h"

namespace home::channel_internal {

template <typename Policy>
class FanOut {
 public:
  using Mutex = typename Policy::Mutex;
  class Wait;

  FanOut() = default;
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  Mutex& mutex() { return mutex_; }
  // Under the mutex.
  [[nodiscard]] bool ClosedLocked() const { return senders_ == 0; }

  void AddSender() {
    const std::lock_guard lock(mutex_);
    ++senders_;
  }
  // The last one ends all waits.
  void DropSender() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      if (--senders_ != 0) return;
      waiters_.ReleaseAll(wakes);
    }
    wakes.WakeAll();
  }
  [[nodiscard]] std::size_t receivers() {
    const std::lock_guard lock(mutex_);
    return receivers_;
  }

 protected:
  ~FanOut() = default;

  using Waiter = sync_internal::PlainWaiter<Policy>;

  Mutex mutex_;  // guards all, here and in what derives from it
  std::size_t senders_ = 1;
  std::size_t receivers_ = 1;
  sync_internal::WaiterList<Waiter> waiters_;
};

// The wait of one future. Movable before its first poll.
template <typename Policy>
class FanOut<Policy>::Wait {
 public:
  Wait() = default;
  Wait(Wait&& other) noexcept {
    if (other.channel_ != nullptr) Fatal("a channel's future was moved after its first poll");
  }
  Wait& operator=(Wait&&) = delete;
  ~Wait() {
    if (channel_ != nullptr) channel_->waiters_.Forget(channel_->mutex_, waiter_);
  }

  // Ready once `take()` was true, which is called under the mutex; until then the task waits
  // for `reason`. `try_to_take()` does the same without the mutex, and may be false for no reason.
  template <typename TryToTake, typename Take>
  home::Poll<void> Poll(FanOut& channel, Context& cx, const char* reason, TryToTake try_to_take,
                        Take take) {
    if (!cx.ConsumeBudget()) return kPending;
    // Who was released need not wait for the mutex to know it: the channel lives on, whoever
    // releases holds it.
    if (channel_ != nullptr && waiter_.state() == sync_internal::WaiterState::kReleased) {
      waiter_.Reset();
      channel_ = nullptr;
    }
    if (channel_ == nullptr && try_to_take()) return kReady;
    channel_ = &channel;
    const bool done =
        channel.waiters_.Poll(channel.mutex_, waiter_, cx.waker(),
                              /*will_likely_wait=*/false, [&](bool) { return take(); });
    if (!done) return cx.PendingFor(reason);
    channel_ = nullptr;
    return kReady;
  }

 private:
  FanOut* channel_ = nullptr;
  Waiter waiter_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_FAN_OUT_H_
