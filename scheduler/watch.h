// Watch: that somebody is in the reactor while a worker sleeps.
//
// One of the workers that sleep, the *driver*, sleeps in the reactor, with the earliest
// timer as its timeout. When it leaves with events it runs what they woke, and that may
// take long: somebody else should drive meanwhile, or timers and sockets stop
// (tokio#4730). To wake another worker each time would double the cost of every small
// batch. So one of the others is the *standby*: it naps, and takes the reactor over if it
// finds it without a driver. After kQuietNaps naps in which nobody left the reactor it lies
// down, *dormant*, and then the next driver that leaves wakes it. A busy runtime thus pays
// for a nap every kNap, and an idle one nothing.
//
//  W1  If a worker sleeps and nobody drives, some sleeper is a standby that naps, or some
//      worker that is awake has yet to look (Keep). A driver looks when it has left and
//      is awake; every other worker after it has woken, whatever for, before it runs
//      anything. So nobody has to rely on a sleeper that he has chosen: another may have
//      woken it just before, and it is busy with that. A worker that finds nothing to run
//      goes to sleep again, and takes a role then. Giving up, taking on, going to sleep
//      and looking are seq_cst operations, so that of two who give up at once the second
//      sees the first, and a worker that goes to sleep sees a reactor that has just become
//      free.
//  W2  A standby that becomes dormant says so, and then looks once more whether somebody
//      has left the reactor since; a driver that leaves says so, and then looks for a
//      dormant standby (seq_cst on both sides).
//
// Workers are known by their indices. Whoever is told of one has to unpark it.
//
// Thread-safety: full. Cost: some loads, and an RMW for each role taken or given up; a lock
// where somebody has to be woken. Keep is one load while somebody drives.

#ifndef HOME_SCHEDULER_WATCH_H_
#define HOME_SCHEDULER_WATCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "home/scheduler/idle.h"

namespace home::scheduler_internal {

template <typename Policy = IdlePolicy>
class BasicWatch {
 public:
  using Idle = BasicIdle<Policy>;

  BasicWatch(Idle& idle, std::size_t workers) : idle_(idle), workers_(workers) {}
  BasicWatch(const BasicWatch&) = delete;
  BasicWatch& operator=(const BasicWatch&) = delete;

  // -- The driver --------------------------------------------------------------------

  // Asks for the right to poll the reactor.
  [[nodiscard]] bool TryTakeDriver() {
    // seq_cst, here and in all that follows: W1 and W2 are store then load on both
    // sides. pairs with: each other, and with Idle::Sleep().
    if (driver_taken_.load(std::memory_order_seq_cst)) return false;
    return !driver_taken_.exchange(true, std::memory_order_seq_cst);
  }
  // Gives it up, by a worker that is awake. Whom to unpark, if anybody.
  [[nodiscard]] std::optional<std::size_t> ReleaseDriver() {
    driver_leaves_.fetch_add(1, std::memory_order_seq_cst);
    driver_taken_.exchange(false, std::memory_order_seq_cst);
    return Keep();
  }

  // W1, by a worker that is awake. Whom to unpark, if anybody.
  [[nodiscard]] std::optional<std::size_t> Keep() {
    if (workers_ == 1 || !driver_free()) return std::nullopt;
    if (standby_.load(std::memory_order_seq_cst) == Idle::kNobody) return idle_.AnySleeper();
    // It naps, or it is dormant and one of those who see that wakes it.
    if (standby_dormant_.load(std::memory_order_seq_cst) &&
        standby_dormant_.exchange(false, std::memory_order_seq_cst)) {
      // Only now is it known whose dormancy was ended: before, another worker may
      // have been the standby. If there is none, it has just woken, and looks itself.
      const std::size_t standby = standby_.load(std::memory_order_seq_cst);
      if (standby != Idle::kNobody) return standby;
    }
    return std::nullopt;
  }

  // -- The standby -------------------------------------------------------------------

  // A worker that sleeps asks to be it.
  [[nodiscard]] bool TryStandBy(std::size_t worker) {
    std::size_t nobody = Idle::kNobody;
    return standby_.compare_exchange_strong(nobody, worker, std::memory_order_seq_cst);
  }
  // Gives the role up.
  void EndStandBy() {
    standby_dormant_.store(false, std::memory_order_seq_cst);
    standby_.exchange(Idle::kNobody, std::memory_order_seq_cst);
  }
  // How often the reactor was left.
  [[nodiscard]] std::uint64_t driver_leaves() const {
    return driver_leaves_.load(std::memory_order_seq_cst);
  }
  // Makes the standby dormant unless the reactor was left since `leaves`, or is free. It
  // may then sleep for ever.
  [[nodiscard]] bool LieDormant(std::uint64_t leaves) {
    standby_dormant_.exchange(true, std::memory_order_seq_cst);
    if (driver_leaves() == leaves && !driver_free()) return true;
    standby_dormant_.store(false, std::memory_order_seq_cst);
    return false;
  }

 private:
  [[nodiscard]] bool driver_free() const { return !driver_taken_.load(std::memory_order_seq_cst); }

  Idle& idle_;
  const std::size_t workers_;
  typename Policy::template Atomic<bool> driver_taken_{false};
  typename Policy::template Atomic<std::uint64_t> driver_leaves_{0};
  typename Policy::template Atomic<std::size_t> standby_{Idle::kNobody};
  typename Policy::template Atomic<bool> standby_dormant_{false};
};

using Watch = BasicWatch<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_WATCH_H_
