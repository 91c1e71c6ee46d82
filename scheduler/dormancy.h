// Dormancy: how the watchdog sleeps while all workers sleep, and is woken by the first one
// that is awake again.
//
//  D1  While a worker is awake the watchdog is, or naps, or a token for it is under way. The
//      watchdog says that it is dormant, and then asks whether all are asleep by an RMW of the
//      word in which the workers that are awake are counted (BasicIdle::AllAsleep). A worker
//      that was counted there asks whether the watchdog is dormant. Of the two RMWs the
//      second sees the first, and what came before it.
//
// It is a template so that the model checker runs it (dormancy_model_test.cc).
//
// Thread-safety: OnWakeUp and Unpark by any thread, the rest is the watchdog's. Cost of
// OnWakeUp: a load; the first after a time in which all slept wakes a thread.

#ifndef HOME_SCHEDULER_DORMANCY_H_
#define HOME_SCHEDULER_DORMANCY_H_

#include <atomic>

#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "home/parker/parker.h"
#include "home/scheduler/idle.h"

namespace home::scheduler_internal {

template <typename Policy = IdlePolicy>
class BasicDormancy {
 public:
  BasicDormancy() = default;
  BasicDormancy(const BasicDormancy&) = delete;
  BasicDormancy& operator=(const BasicDormancy&) = delete;

  // Sleeps so long, or until an Unpark().
  void Nap(absl::Duration duration) { static_cast<void>(parker_.ParkFor(duration)); }
  // Sleeps until a worker wakes up, or an Unpark(), if all workers sleep and have left nothing to
  // look at: `stay_up()` is asked when they do. It may also return for no reason.
  template <typename StayUp>
  void SleepWhileAllSleep(BasicIdle<Policy>& idle, StayUp stay_up) {
    // relaxed: AllAsleep() releases it (D1). pairs with: OnWakeUp().
    dormant_.store(true, std::memory_order_relaxed);
    if (idle.AllAsleep() && !stay_up()) return parker_.Park();
    // relaxed: whoever has seen it has left a token, and that ends the next sleep too soon.
    dormant_.store(false, std::memory_order_relaxed);
  }

  // By a worker after BasicIdle::WakeUp().
  void OnWakeUp() {
    // relaxed: ordered by D1.
    if (ABSL_PREDICT_FALSE(dormant_.load(std::memory_order_relaxed))) Rouse();
  }
  // Ends the sleep, or the next one.
  void Unpark() { parker_.Unpark(); }

 private:
  void Rouse() {
    // relaxed: an RMW only so that one of several does it.
    if (dormant_.exchange(false, std::memory_order_relaxed)) parker_.Unpark();
  }

  typename Policy::template Atomic<bool> dormant_{false};
  BasicParker<Policy> parker_;
};

using Dormancy = BasicDormancy<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_DORMANCY_H_
