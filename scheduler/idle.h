// Idle: who sleeps, who searches, and whom to wake.
//
// Two questions decide most of a scheduler's speed and all of its liveness:
// when to wake a sleeping worker, and when a worker may go to sleep. The answers
// are kept here, in one word and one list:
//
//   state   awake workers (upper 16 bits), searching workers (lower 16)
//   list    the workers that sleep, last one in first out (its caches are warm)
//
// A worker is *searching* while it is awake without work and looks for some in
// the others' queues. At most half of the workers search at once: more would
// only fight for the same tasks.
//
// The protocol (that of Go's proc.go and of Tokio's idle.rs):
//
//   submit   1. publish the task in a queue
//            2. WorkerToNotify(): if nobody searches and somebody sleeps, wake one
//   leave    1. StopSearching() or Sleep(), which counts this worker out
//            2. if it went to sleep, or was the last searcher: look at all queues
//               once more, and wake somebody (it may be itself) if there is work
//
// Invariants:
//  I1  Submit 2 and Leave 1 are RMWs of the same word, the one a release, the other an
//      acquire. If the submitter comes second it sees the leaver gone, and wakes a
//      sleeper unless others are there. If the leaver comes second it has acquired the
//      submitter's step, so it sees the task in step 2. Either way the task is not
//      forgotten. A mere load in the submitter would not do: it could be ordered before
//      its own publication. All other changes are RMWs, too, and so keep the release
//      sequence; they need no order of their own.
//  I2  The counts include every worker that was promised work: who wakes a
//      worker counts it in as awake and searching, before it runs
//      (tokio#8056 is what happens when the woken one does).
//  I3  A worker is in the list exactly if it is not counted as awake.
//
// It is a template so that the model checker runs it (idle_model_test.cc), together with
// watch.h and worker_sleep.h, which have the same policy.
//
// Thread-safety: full. Cost: WorkerToNotify one RMW, and a lock if somebody is
// to be woken; Sleep and WakeUp a lock.

#ifndef HOME_SCHEDULER_IDLE_H_
#define HOME_SCHEDULER_IDLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "home/parker/parker_policy.h"
#include "home/task/chaos.h"

namespace home::scheduler_internal {

// Atomics, a mutex and what a parker needs; and the standby's naps (watch.h).
struct IdlePolicy : internal::WithChaos<EventCountPolicy> {
  static constexpr absl::Duration kNap = absl::Milliseconds(10);
  static constexpr int kQuietNaps = 10;
};

template <typename Policy = IdlePolicy>
class BasicIdle {
 public:
  static constexpr std::size_t kNobody = SIZE_MAX;

  // All workers begin awake.
  explicit BasicIdle(std::size_t workers)
      : workers_(static_cast<std::uint32_t>(workers)), state_(workers_ * kAwake) {
    sleepers_.reserve(workers);
  }
  BasicIdle(const BasicIdle&) = delete;
  BasicIdle& operator=(const BasicIdle&) = delete;

  // Whether it is worth while to notify somebody, in the view of a worker that
  // will itself run what it has queued: so it may be wrong now and then.
  [[nodiscard]] bool MayNotify() const {
    // relaxed: see above.
    return ShouldWake(state_.load(std::memory_order_relaxed));
  }

  // After a task was published: the worker to wake, if any, and another one than
  // `spared` if possible. It is counted as awake and searching, and the caller
  // must unpark it.
  [[nodiscard]] std::optional<std::size_t> WorkerToNotify(std::size_t spared = kNobody) {
    // I1. release: the submitter's publication is ordered before what a later leaver
    // reads. pairs with: StopSearching(), Sleep().
    const std::uint32_t state = state_.fetch_add(0, std::memory_order_release);
    if (!ShouldWake(state)) return std::nullopt;
    const std::lock_guard lock(mutex_);
    // relaxed: the lock orders it after the other notifiers; a searcher that has
    // come since will look at the queues after I1's point, as it entered after.
    if (!ShouldWake(state_.load(std::memory_order_relaxed)) || sleepers_.empty()) {
      return std::nullopt;
    }
    // I2. acquire: for AllAsleep(). No release: the publication was released above.
    state_.fetch_add(kAwake + kSearching, std::memory_order_acquire);
    if (sleepers_.back() == spared && sleepers_.size() > 1) {
      std::swap(sleepers_.back(), sleepers_[sleepers_.size() - 2]);
    }
    const std::size_t worker = sleepers_.back();
    sleepers_.pop_back();
    return worker;
  }

  // Orders the caller among those who go to sleep: it sees what each did who has gone
  // before, and each who goes after sees what the caller did.
  void Meet() {
    // release: as WorkerToNotify(). acquire: as Sleep(). pairs with: these, and itself.
    state_.fetch_add(0, std::memory_order_acq_rel);
  }

  // Whether no worker is awake. If so, each that wakes up later sees what the caller did.
  [[nodiscard]] bool AllAsleep() {
    // release: pairs with the acquires of WakeUp() and WorkerToNotify(), which hands it on to
    // the worker under the lock.
    return state_.fetch_add(0, std::memory_order_release) / kAwake == 0;
  }

  // A worker that sleeps at this moment, if any. It is not counted as awake.
  [[nodiscard]] std::optional<std::size_t> AnySleeper() {
    // seq_cst: see watch.h. pairs with: Sleep().
    if (state_.load(std::memory_order_seq_cst) / kAwake == workers_) return std::nullopt;
    const std::lock_guard lock(mutex_);
    if (sleepers_.empty()) return std::nullopt;
    return sleepers_.back();
  }

  // A worker without work asks to search. False: enough others do.
  [[nodiscard]] bool StartSearching() {
    // relaxed: a limit that may be off by a few.
    const std::uint32_t state = state_.load(std::memory_order_relaxed);
    if (2 * Searching(state) >= workers_ && workers_ > 1) return false;
    // relaxed: a submitter that trusts this worker is seen when it leaves (I1).
    state_.fetch_add(kSearching, std::memory_order_relaxed);
    return true;
  }

  // A searcher has found work. True: it was the last one, see "leave".
  [[nodiscard]] bool StopSearching() {
    // acquire: I1. pairs with: WorkerToNotify().
    return Searching(state_.fetch_sub(kSearching, std::memory_order_acquire)) == 1;
  }

  // A worker goes to sleep; from here on it may be unparked at any moment. See
  // "leave".
  void Sleep(std::size_t worker, bool searching) {
    const std::lock_guard lock(mutex_);
    sleepers_.push_back(worker);
    // acquire: I1. pairs with: WorkerToNotify(). release: for Meet(). seq_cst: for
    // AnySleeper().
    state_.fetch_sub(kAwake + (searching ? kSearching : 0), std::memory_order_seq_cst);
  }

  // A worker is awake again. True: somebody notified it, and it counts as
  // searching; false: it woke by itself.
  [[nodiscard]] bool WakeUp(std::size_t worker) {
    const std::lock_guard lock(mutex_);
    const auto position = std::find(sleepers_.begin(), sleepers_.end(), worker);
    if (position == sleepers_.end()) return true;
    sleepers_.erase(position);
    // acquire: for AllAsleep(). No release: nobody is promised anything by it; the lock
    // orders it after Sleep().
    state_.fetch_add(kAwake, std::memory_order_acquire);
    return false;
  }

  [[nodiscard]] std::size_t searching() const {
    // relaxed: for metrics and tests.
    return Searching(state_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::size_t awake() const {
    // relaxed: for metrics and tests.
    return state_.load(std::memory_order_relaxed) / kAwake;
  }

 private:
  static constexpr std::uint32_t kSearching = 1;
  static constexpr std::uint32_t kAwake = 1 << 16;

  static std::uint32_t Searching(std::uint32_t state) { return state % kAwake; }
  bool ShouldWake(std::uint32_t state) const {
    return Searching(state) == 0 && state / kAwake < workers_;
  }

  const std::uint32_t workers_;
  typename Policy::template Atomic<std::uint32_t> state_;
  typename Policy::Mutex mutex_;
  // Under the mutex.
  std::vector<std::size_t> sleepers_;
};

using Idle = BasicIdle<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_IDLE_H_
