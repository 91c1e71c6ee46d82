// WorkerSleep: how one worker sleeps, in the reactor or in its parker, and how others end
// that.
//
//   state     meaning                               who makes it so
//   kAwake    the worker runs                       the worker, from any state
//   kParked   it sleeps in its parker, or is about  the worker, from kAwake
//             to; also the standby (watch.h)
//   kDriving  it sleeps in the reactor, or is about the worker, from kAwake or kParked
//             to
//   kToken    it was unparked since it last woke    Unpark(), from any state
//
//  S1  Every transition is an RMW. Who finds kParked or kDriving and replaces it by
//      kToken owes the worker's end of sleep: one Unpark() of its parker, or one wake-up
//      of the reactor.
//  S2  A worker goes to sleep only from kAwake. So an Unpark() that comes between its
//      last look at the queues and its sleep is not lost: it finds kToken, and stays up.
//
// Thread-safety: Unpark by any thread, the rest is the worker's. Cost of an Unpark(): one
// RMW, and a system call if the worker sleeps.

#ifndef HOME_SCHEDULER_WORKER_SLEEP_H_
#define HOME_SCHEDULER_WORKER_SLEEP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "home/parker/parker.h"
#include "home/scheduler/idle.h"
#include "home/scheduler/watch.h"

namespace home::scheduler_internal {

template <typename Policy = IdlePolicy>
class BasicWorkerSleep {
 public:
  using Watch = BasicWatch<Policy>;

  BasicWorkerSleep() = default;
  BasicWorkerSleep(const BasicWorkerSleep&) = delete;
  BasicWorkerSleep& operator=(const BasicWorkerSleep&) = delete;

  // Any thread: ends the worker's sleep, or its next one. `wake_reactor()` makes the
  // driver leave the reactor.
  template <typename WakeReactor>
  void Unpark(const WakeReactor& wake_reactor) {
    // release: what the caller did is seen when the worker wakes. acquire: how it
    // sleeps. pairs with: Sleep().
    switch (state_.exchange(State::kToken, std::memory_order_acq_rel)) {
      case State::kAwake:
      case State::kToken:
        break;
      case State::kParked:
        parker_.Unpark();
        break;
      case State::kDriving:
        wake_reactor();
        break;
    }
  }

  // The sleep of `worker`, which is in the list of sleepers already: until an Unpark(),
  // or as the driver. `drive()` blocks in the reactor until there is an event, a timer or
  // a wake-up. True: this worker is the driver now, and has to release that; else it has
  // to Watch::Keep() before it runs anything.
  template <typename Drive>
  [[nodiscard]] bool Sleep(std::size_t worker, Watch& watch, const Drive& drive) {
    bool driver = watch.TryTakeDriver();
    State awake = State::kAwake;
    // acq_rel: an Unpark() that came first is seen, with what its caller did; one
    // that comes later sees how we sleep. pairs with: Unpark().
    if (state_.compare_exchange_strong(awake, driver ? State::kDriving : State::kParked,
                                       std::memory_order_acq_rel, std::memory_order_acquire)) {
      if (driver) {
        drive();
      } else if (watch.TryStandBy(worker)) {
        driver = StandBy(watch, drive);
      } else {
        parker_.Park();
      }
    }
    // acquire: what the caller of Unpark() did. release: the next Unpark() sees us
    // awake. pairs with: Unpark().
    state_.exchange(State::kAwake, std::memory_order_acq_rel);
    return driver;
  }

 private:
  // What Unpark() finds.
  enum class State : std::uint32_t { kAwake, kParked, kDriving, kToken };

  // Sleeps as the standby until an Unpark() or, having become the driver, by `drive`.
  // True: this worker is the driver now.
  template <typename Drive>
  [[nodiscard]] bool StandBy(Watch& watch, const Drive& drive) {
    std::uint64_t leaves = watch.driver_leaves();
    bool driver = false;
    for (int quiet = 0; !driver;) {
      if (quiet < Policy::kQuietNaps) {
        if (parker_.ParkFor(Policy::kNap)) break;
        driver = watch.TryTakeDriver();
        const std::uint64_t before = std::exchange(leaves, watch.driver_leaves());
        quiet = before == leaves ? quiet + 1 : 0;
      } else if (watch.LieDormant(leaves)) {
        parker_.Park();
        break;
      } else {
        quiet = 0;
      }
    }
    watch.EndStandBy();
    if (!driver) return false;
    State parked = State::kParked;
    // As in Sleep(). If it fails, an Unpark() has put a token into the parker.
    if (state_.compare_exchange_strong(parked, State::kDriving, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      drive();
    } else {
      parker_.Park();
    }
    return true;
  }

  typename Policy::template Atomic<State> state_{State::kAwake};
  BasicParker<Policy> parker_;
};

using WorkerSleep = BasicWorkerSleep<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_WORKER_SLEEP_H_
