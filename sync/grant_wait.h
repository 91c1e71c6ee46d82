// GrantWait: the place of one future in a GrantQueue.

#ifndef HOME_SYNC_GRANT_WAIT_H_
#define HOME_SYNC_GRANT_WAIT_H_

#include <cstdint>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/sync/grant_queue.h"
#include "home/sync/sync_policy.h"

namespace home::sync_internal {

// The wait of one future for its request. What Kind says besides:
//
//   static void GiveBack(GrantQueue&, std::uint64_t request);   // a grant that nobody wants
template <typename Kind, typename Policy = SyncPolicy>
class GrantWait {
 public:
  using Queue = GrantQueue<Kind, Policy>;

  GrantWait(Queue& queue, std::uint64_t request) noexcept : queue_(&queue), request_(request) {}
  GrantWait(GrantWait&& other) noexcept : queue_(other.queue_), request_(other.request_) {
    if (other.waits_ || other.early_ != Grant::kWaits) {
      Fatal("a future of home/sync was moved after its first poll");
    }
  }
  GrantWait& operator=(GrantWait&&) = delete;
  ~GrantWait() {
    if (early_ == Grant::kTaken || (waits_ && queue_->Cancel(waiter_))) {
      Kind::GiveBack(*queue_, request_);
    }
  }

  // While it is kWaits the task waits for `reason`.
  Grant Poll(Context& cx, const char* reason) {
    if (ABSL_PREDICT_FALSE(!cx.ConsumeBudget())) {
      LineUp(cx);
      return Grant::kWaits;
    }
    if (ABSL_PREDICT_FALSE(early_ != Grant::kWaits)) return std::exchange(early_, Grant::kWaits);
    const Grant grant = queue_->Poll(waiter_, request_, cx.waker());
    waits_ = grant == Grant::kWaits;
    if (waits_) static_cast<void>(cx.PendingFor(reason));
    return grant;
  }

 private:
  // For a poll without a step left: the turn is over, but who has to wait has its place in the
  // line from now on, before all who ask until the next turn. One who need not wait takes
  // nothing, or others would wait for that turn.
  ABSL_ATTRIBUTE_NOINLINE void LineUp(Context& cx) {
    if (waits_ || early_ != Grant::kWaits || queue_->CanTake(request_)) return;
    const Grant grant = queue_->Poll(waiter_, request_, cx.waker());
    waits_ = grant == Grant::kWaits;
    early_ = grant;
  }

  Queue* queue_;
  std::uint64_t request_;
  typename Queue::Waiter waiter_;
  bool waits_ = false;
  // An answer that came in LineUp() all the same, for the next turn.
  Grant early_ = Grant::kWaits;
};

// A future of void that waits for a grant. `reason` is what the primitive is called where it is
// waited for, Kind::kName what the future is called if it is misused.
template <typename Kind, typename Policy = SyncPolicy>
class [[nodiscard]] GrantFuture {
 public:
  using Output = void;

  GrantFuture(GrantQueue<Kind, Policy>& queue, std::uint64_t request, const char* reason,
              const internal::LockPlace& place) noexcept
      : mark_(reason, &queue, place), wait_(queue, request), reason_(reason) {}

  home::Poll<void> Poll(Context& cx) {
    check_.Begin();
    if (wait_.Poll(cx, reason_) == Grant::kWaits) {
      mark_.Wait();
      return check_.Pending();
    }
    mark_.Release();
    return kReady;
  }

 private:
  [[no_unique_address]] internal::PollCheck<Kind> check_;
  [[no_unique_address]] LockMark<Policy, GrantFuture> mark_;
  GrantWait<Kind, Policy> wait_;
  const char* reason_;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_GRANT_WAIT_H_
