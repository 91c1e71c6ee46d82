// TimerService: the timers of a runtime. One wheel and one lock a shard, a
// shard a worker, so that workers that arm timers do not meet.
//
//   TimerService timers(workers, Clock::Real(), [&] { reactor.Wake(); });
//   // every worker, around its loop:
//   TimerScope scope(&timers, worker_index);
//   // now and then, and whenever it woke from blocking:
//   WakeList wakes;
//   timers.FireExpired(worker_index, now, wakes);
//   wakes.WakeAll();
//   // the one worker that will block in the reactor, the driver:
//   Instant until = timers.PrepareSleep();
//   reactor.Wait(until);
//   timers.FinishSleep();
//   timers.FireAllExpired(wakes);
//   wakes.WakeAll();
//
// Futures that wait for time (home/timer/sleep.h) find the service through the
// TimerScope of the thread that polls them first, and stay with that shard even
// when their task moves to another worker.
//
// What is guaranteed
//   - No timer fires before its deadline: deadlines are rounded up to the next
//     millisecond, or the next 3.9 us (timer_precision.h), and the present is rounded down.
//   - Cancel() is complete: when it returns, nothing refers to the entry. A
//     waker that the firing side had already taken may still be woken.
//   - No lock is held while a waker is cloned, woken or dropped.
//   - One call holds a shard's lock for kMovesPerLock steps at most, and does
//     kMovesPerCall steps at most, however many timers are due at once.
//
// The driver's sleep. From PrepareSleep() to FinishSleep() a timer that is armed
// and is earlier than what the driver sleeps until calls wake_driver, once a
// sleep. No such wake-up is lost, whichever way the two run together: the
// protocol is DriverGate's (home/timer/driver_gate.h), whose invariant G1 the
// shards keep.
//
// Shutdown. Close() ends firing: no timer fires and no wake_driver call starts
// after it. Entries that are armed stay linked until their owners cancel them,
// which they may do from any thread. The service must outlive its entries; the
// destructor dies with a message if one is left.
//
// Thread-safety: all members may be called from any thread at once, except that
// one thread at a time is between PrepareSleep() and FinishSleep().
// Memory ordering: what happened before Arm() happens before the waker is
// woken, through the shard's lock.
// Cost: Arm and Cancel one uncontended lock each, that is one RMW (shard_lock.h);
// FireExpired one relaxed load while nothing is due. 12 KiB a shard.
//
// Rejected: std::mutex, see shard_lock.h. A lock that is biased towards the shard's
// worker, which then needs no RMW, while others pay a membarrier(2): tasks that were
// stolen cancel their timeouts in another worker's shard, and would pay microseconds.

#ifndef HOME_TIMER_TIMER_SERVICE_H_
#define HOME_TIMER_TIMER_SERVICE_H_

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/timer/clock.h"
#include "home/timer/driver_gate.h"
#include "home/timer/instant.h"
#include "home/timer/shard_lock.h"
#include "home/timer/timer_precision.h"
#include "home/timer/wheel.h"

namespace home {

class TimerService;

namespace timer_internal {

// A wheel and its lock.
//
// 128: two cache lines, which x86 prefetches together.
struct alignas(128) TimerShard {
  timer_internal::ShardLock lock;
  bool closed = false;  // guarded by lock
  // Written under the lock, read without it. DriverGate's G1.
  std::atomic<std::int64_t> next{DriverGate<>::kInfinite};
  TimerWheel wheel;  // guarded by lock
};

}  // namespace timer_internal

// One timer: a place in a shard's wheel and the waker to wake. It lives inside
// the future that waits, which calls Cancel() before it goes away.
//
// state    who may touch the rest
// kIdle    the owner
// kArmed   the shard, under its lock. The owner alone writes the waker's word
//          (under the lock), so it may read it without.
// kFired   the owner: storing kFired is the last thing that the firing side
//          does to the entry.
class TimerNode : public TimerEntry {
 public:
  enum class State : std::uint8_t { kIdle, kArmed, kFired };

  TimerNode() noexcept = default;
  ~TimerNode() { assert(state_.load(std::memory_order_relaxed) != State::kArmed); }  // NOLINT

  // kFired once the deadline has come. From kArmed it changes behind the
  // owner's back; a kFired that was seen is final until the next Arm().
  [[nodiscard]] State state() const noexcept {
    // acquire: pairs with the release in FireExpired(); the owner may reuse or
    // destroy the entry after it.
    return state_.load(std::memory_order_acquire);
  }

 protected:
  // A byte that the owner may use as it likes, in what would be padding.
  std::uint8_t tag_ = 0;

 private:
  friend class TimerService;

  std::atomic<State> state_{State::kIdle};
  timer_internal::TimerShard* shard_ = nullptr;
  // Holds a waker while kArmed: who ends that state takes it.
  WakerSlot waker_;
};

class TimerService {
 public:
  // `clock` must outlive the service. `wake_driver` ends the driver's sleep,
  // or its next one if it is not asleep yet (as a write to an eventfd does);
  // it may be called by several threads at once and must not call back.
  TimerService(std::size_t shards, const Clock* clock, absl::AnyInvocable<void()> wake_driver);
  TimerService(const TimerService&) = delete;
  TimerService& operator=(const TimerService&) = delete;
  // No timer may be left in it.
  ~TimerService();

  [[nodiscard]] std::size_t shards() const noexcept { return shard_count_; }
  [[nodiscard]] const Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] Instant Now() const { return clock_->Now(); }

  // -- For futures that wait -------------------------------------------------

  // Arms `node`, which is not armed, in `shard`: `waker` is woken once
  // `deadline` has passed. A deadline that is past fires with the next
  // FireExpired(). An infinite one never fires, but is armed all the same.
  void Arm(TimerNode& node, std::size_t shard, Instant deadline, Waker waker,
           TimerPrecision precision = TimerPrecision::kMillisecond);

  // Makes `current` the waker of a node that is armed, unless it would wake the
  // same task already. False: the node has fired, and nothing was changed.
  [[nodiscard]] static bool UpdateWaker(TimerNode& node, const Waker& current);

  // Disarms `node`, whatever its state; the waker is dropped. Afterwards it is
  // idle and nothing refers to it. By the owner, on any thread.
  static void Cancel(TimerNode& node);

  // -- For whoever runs the loop ---------------------------------------------

  // Takes the wakers of `shard`'s timers that are due at `now` into `wakes` and
  // returns their number; the caller wakes them, outside any lock. If more are
  // due than one call may take, the shard's deadline stays in the past: the
  // next call goes on, and PrepareSleep() returns a moment that is past.
  std::size_t FireExpired(std::size_t shard, Instant now, WakeList& wakes) {
    assert(shard < shard_count_);
    // relaxed: an older value only postpones what is due to the next call. The
    // driver can't miss it: it has read this or a newer value in PrepareSleep.
    if (shards_[shard].next.load(std::memory_order_relaxed) > now.nanoseconds()) return 0;
    return FireShard(shards_[shard], now, wakes);
  }
  // The same at this moment; reads the clock only if there is a timer.
  std::size_t FireExpired(std::size_t shard, WakeList& wakes);
  // All shards.
  std::size_t FireAllExpired(Instant now, WakeList& wakes);
  std::size_t FireAllExpired(WakeList& wakes);

  // By the driver, before it blocks: publishes that it is about to sleep and
  // returns until when it may: the earliest deadline of all shards, Infinite if
  // there is none, a past moment if something is due. From here to
  // FinishSleep() an earlier timer calls wake_driver. Within kBatchNanos of a FireAllExpired()
  // that fired several it returns the end of that time at the earliest.
  [[nodiscard]] Instant PrepareSleep();
  // By the driver, when it is awake again.
  void FinishSleep();

  // The earliest deadline of all shards right now, not later than the true one.
  // For metrics and tests: it takes part in no protocol.
  [[nodiscard]] Instant NextDeadline() const;
  // Timers that are armed. Takes every shard's lock.
  [[nodiscard]] std::size_t size() const;

  // Stops firing; see Shutdown above.
  void Close();

  // -- The thread's service --------------------------------------------------

  // The service of the innermost TimerScope on this thread, or null.
  [[nodiscard]] static TimerService* Current() noexcept;
  // The same, and its shard. Dies with a message that names `user` if there is
  // none.
  [[nodiscard]] static TimerService& CurrentOrDie(const char* user, std::size_t& shard);

 private:
  // A shard's lock is held for this many entries at most, one fired or moved
  // down a level; each may be a cache miss.
  static constexpr std::size_t kMovesPerLock = 128;
  static constexpr std::size_t kMovesPerCall = 16 * kMovesPerLock;

  static constexpr std::int64_t kInfinite = DriverGate<>::kInfinite;
  // Where timers are so dense that one wake-up fires so many, the driver sleeps on for so
  // long before the next. A sleep that ends with a timer costs some ten microseconds, with
  // what it makes other workers do, and timers that come one by one would keep a processor
  // busy; this bounds what they cost to some percent of it. One that is alone, or in a row with
  // gaps, is not held up.
  static constexpr std::size_t kDense = 2;
  static constexpr std::int64_t kBatchNanos = 150'000;

  using Shard = timer_internal::TimerShard;

  std::size_t FireShard(Shard& shard, Instant now, WakeList& wakes);

  const std::size_t shard_count_;
  const std::unique_ptr<Shard[]> shards_;
  const Clock* const clock_;
  absl::AnyInvocable<void()> wake_driver_;
  alignas(128) DriverGate<> gate_;
  // When a call last fired kDense timers or more, in nanoseconds.
  std::atomic<std::int64_t> last_fired_{DriverGate<>::kAwake};
};

// Makes `service` the one that timers polled first on this thread belong to,
// and `shard` the one that they are armed in, until the scope ends. Scopes
// nest. A null service means none.
class TimerScope {
 public:
  TimerScope(TimerService* service, std::size_t shard) noexcept;
  TimerScope(const TimerScope&) = delete;
  TimerScope& operator=(const TimerScope&) = delete;
  ~TimerScope();

 private:
  TimerService* const previous_service_;
  const std::size_t previous_shard_;
};

}  // namespace home

#endif  // HOME_TIMER_TIMER_SERVICE_H_
