// Barrier: so many tasks wait for one another, again and again.
//
//   Barrier barrier(3);
//   const bool leads = co_await barrier.Wait();   // in each of three; true in one of them
//   if (leads) Report();
//
// The last to come leads. Then the barrier is as new, for the next round.
//
// Thread-safety: all functions from any thread. A future belongs to one thread at a time and must
// not outlive its barrier.
// Memory ordering: what precedes the first poll of each wait of a round happens before what
// follows any of them.
// Cost: a wait takes a mutex once, or twice while another takes it. It allocates nothing; the last
// of more than 16 does.

#ifndef HOME_SYNC_BARRIER_H_
#define HOME_SYNC_BARRIER_H_

#include <cstddef>
#include <mutex>
#include <source_location>
#include <utility>

#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/future/wake_list.h"
#include "home/sync/sync_policy.h"
#include "home/sync/waiter_list.h"

namespace home {

class Barrier {
 public:
  class WaitFuture;

  explicit Barrier(std::size_t count) : count_(count) {
    if (count == 0) Fatal("a barrier for nobody");
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Ready once as many wait as the barrier is for; true for one of them.
  // Cancellation: dropping the future before that takes its arrival back.
  [[nodiscard]] WaitFuture Wait(const internal::LockPlace& place = std::source_location::current());

 private:
  using Waiter = sync_internal::PlainWaiter<sync_internal::SyncPolicy>;
  using Waiters = sync_internal::WaiterList<Waiter>;

  const std::size_t count_;
  sync_internal::SyncPolicy::Mutex mutex_;
  // Under the mutex.
  std::size_t waiting_ = 0;
  Waiters waiters_;
};

// What Barrier::Wait() returns. Movable before its first poll.
class [[nodiscard]] Barrier::WaitFuture {
 public:
  using Output = bool;
  static constexpr const char* kName = "Barrier::Wait";

  WaitFuture(Barrier& barrier, const internal::LockPlace& place) noexcept
      : barrier_(&barrier), mark_("barrier", &barrier, place) {}
  WaitFuture(WaitFuture&& other) noexcept
      : check_(other.check_), barrier_(other.barrier_), mark_(std::move(other.mark_)) {
    if (other.waits_) Fatal("a barrier's future was moved after its first poll");
  }
  WaitFuture& operator=(WaitFuture&&) = delete;
  ~WaitFuture() {
    if (!waits_) return;
    barrier_->waiters_.Forget(barrier_->mutex_, waiter_, [this](sync_internal::WaiterState state) {
      if (state == sync_internal::WaiterState::kListed) --barrier_->waiting_;
    });
  }

  home::Poll<bool> Poll(Context& cx) {
    check_.Begin();
    if (Waiters::SeesRelease(barrier_->mutex_, waiter_)) {
      waits_ = false;
      mark_.Release();
      return false;
    }
    bool leads = false;
    WakeList wakes;
    const bool done = barrier_->waiters_.Poll(barrier_->mutex_, waiter_, cx.waker(),
                                              /*will_likely_wait=*/true, [&](bool released) {
                                                if (released) return true;
                                                if (waits_) return false;
                                                waits_ = true;
                                                leads = ++barrier_->waiting_ == barrier_->count_;
                                                if (leads) {
                                                  barrier_->waiting_ = 0;
                                                  barrier_->waiters_.ReleaseAll(wakes);
                                                }
                                                return leads;
                                              });
    waits_ = !done;
    wakes.WakeAll();
    if (!done) {
      mark_.Wait();
      static_cast<void>(cx.PendingFor("barrier"));
      return check_.Pending();
    }
    mark_.Release();
    return leads;
  }

 private:
  [[no_unique_address]] internal::PollCheck<WaitFuture> check_;
  Barrier* barrier_;
  [[no_unique_address]] internal::LockMark<WaitFuture> mark_;
  Waiter waiter_;
  bool waits_ = false;
};

inline Barrier::WaitFuture Barrier::Wait(const internal::LockPlace& place) {
  return WaitFuture(*this, place);
}

}  // namespace home

#endif  // HOME_SYNC_BARRIER_H_
