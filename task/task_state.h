// TaskState: the one atomic word that says what a task is doing, who may touch
// what of it, and how many references to it there are.
//
//   bit    name            set when / meaning
//   0      kNotified       a wake-up was asked for and not yet acted on; if the
//                          task is not running it is in exactly one queue
//   1      kRunning        a worker has exclusive access to the future
//   2      kComplete       the future is gone and the outcome is there; never
//                          set together with kRunning, never cleared
//   3      kCancelled      Abort() was called or the runtime shuts down; the
//                          next worker to run the task cancels it
//   4      kJoinInterest   the JoinHandle is alive
//   5      kJoinWaker      the field `join_waker` holds a waker (see below)
//   6..63  references
//
// References: the runtime holds one from the spawn until the task is complete
// and in none of its lists; the JoinHandle one; every Waker and AbortHandle
// one. Being in a queue or running costs none: that is the runtime's. Whoever
// takes the count to zero frees the cell.
//
// One waker that is cloned during a poll is counted only when the poll ends, together with the
// transition (task_header.h): an RMW less for each wait. Until then the runtime's reference
// stands in for it, so the count of a task that runs may be one too low, and zero of one
// that runs is nobody's to free.
//
// Transitions; each is one RMW, an addition or a CAS that may have to be tried again, and the
// result says what the caller must do:
//
//   TransitionToRunning   N -> R             the worker that took it from a queue
//   ContinueRunning       R -> R             the same of a task that gave way during its last
//                         R,N -> R           turn and stayed in R: mostly no RMW
//   TransitionToIdle      R -> idle          after Pending
//                         R,N -> N             kNotified: put it in a queue again
//   TransitionToComplete  R -> complete      the outcome is published
//   CompleteForHandle     R -> complete      and the runtime's reference is gone:
//                                            the JoinHandle is there and waits for
//                                            nobody to wake it
//   RunUnshared           N -> R             both without an RMW, for a task that nobody
//   CompleteUnshared      R -> complete      else can reach: see there
//   DetachUnshared        N -> N             the same; the JoinHandle is gone
//   TransitionToShutdown  idle -> R,C        kCancel: nobody else runs it, cancel it
//   NotifyByRef/ByValue   idle -> N          kSubmit: put it in a queue
//                         R -> R,N           nothing: the worker will, or it is in one
//                         N, complete        nothing
//   Abort                 idle -> N,C        kSubmit
//                         R, N -> N,C        nothing: the next worker to run the
//                                            task will cancel it
//   SetJoinWaker, UnsetJoinWaker, DropJoinHandle     by the JoinHandle, below
//
// Who may touch which field of the cell:
//   the future        whoever is in kRunning
//   the outcome       whoever is in kRunning; after kComplete the JoinHandle if
//                     kJoinInterest was set at that moment, else the worker that
//                     completed
//   join_waker        while kJoinWaker is clear and the task is not complete,
//                     the JoinHandle; while it is set, all may read its word
//                     and nobody may write; after a completion that saw it set,
//                     the worker that completed owns what is in it. (To read it
//                     before and trust a word that looks unchanged would be ABA:
//                     the handle may have taken it out and put another in.)
//
// The design is Tokio's (runtime/task/state.rs), but that a queue holds no
// reference of its own, and that what can be an addition is no CAS loop.
//
// Memory ordering. Every transition that gives something away is a release, and
// every one that takes something over an acquire, of this one word; as all are
// RMWs, but for those of a task that nobody else can reach, they are one release
// sequence. So a wake that finds kNotified set is an
// RMW all the same: a mere load would not order the waker's writes before the
// poll that is still to come.

#ifndef HOME_TASK_TASK_STATE_H_
#define HOME_TASK_TASK_STATE_H_

#include <atomic>
#include <cassert>
#include <cstdint>

#include "home/task/chaos.h"

namespace home {

// What a task's state word said at one moment.
class TaskSnapshot {
 public:
  static constexpr std::uint64_t kNotified = 1 << 0;
  static constexpr std::uint64_t kRunning = 1 << 1;
  static constexpr std::uint64_t kComplete = 1 << 2;
  static constexpr std::uint64_t kCancelled = 1 << 3;
  static constexpr std::uint64_t kJoinInterest = 1 << 4;
  static constexpr std::uint64_t kJoinWaker = 1 << 5;
  static constexpr int kReferenceShift = 6;
  static constexpr std::uint64_t kReference = std::uint64_t{1} << kReferenceShift;

  explicit constexpr TaskSnapshot(std::uint64_t word) : word_(word) {}

  [[nodiscard]] constexpr bool notified() const { return (word_ & kNotified) != 0; }
  [[nodiscard]] constexpr bool running() const { return (word_ & kRunning) != 0; }
  [[nodiscard]] constexpr bool complete() const { return (word_ & kComplete) != 0; }
  [[nodiscard]] constexpr bool cancelled() const { return (word_ & kCancelled) != 0; }
  [[nodiscard]] constexpr bool join_interest() const { return (word_ & kJoinInterest) != 0; }
  [[nodiscard]] constexpr bool join_waker() const { return (word_ & kJoinWaker) != 0; }
  [[nodiscard]] constexpr bool idle() const {
    return (word_ & (kNotified | kRunning | kComplete)) == 0;
  }
  [[nodiscard]] constexpr std::uint64_t references() const { return word_ >> kReferenceShift; }
  [[nodiscard]] constexpr std::uint64_t word() const { return word_; }

 private:
  std::uint64_t word_;
};

// Two transitions are additions: from one bit to the next.
static_assert(TaskSnapshot::kRunning == 2 * TaskSnapshot::kNotified);
static_assert(TaskSnapshot::kComplete == 2 * TaskSnapshot::kRunning);

enum class [[nodiscard]] StartResult {
  kRun,     // poll the future
  kCancel,  // drop it instead
};
enum class [[nodiscard]] IdleResult {
  kIdle,      // the task waits; it is no longer the caller's
  kNotified,  // it was woken or aborted meanwhile: the caller puts it in a queue
};
enum class [[nodiscard]] NotifyResult {
  kDone,     // nothing to do
  kSubmit,   // the caller must put the task in a queue
  kDestroy,  // (ByValue) that was the last reference: the caller frees the cell
};
enum class [[nodiscard]] JoinWakerResult {
  kDone,
  kComplete,  // refused: the task is complete
};

template <template <typename> class Atomic = std::atomic>
class BasicTaskState {
  using S = TaskSnapshot;

 public:
  // A spawned task: in a queue, with a JoinHandle.
  BasicTaskState() : word_(kFresh) {}
  BasicTaskState(const BasicTaskState&) = delete;
  BasicTaskState& operator=(const BasicTaskState&) = delete;

  // acquire: a reader that sees kComplete sees the outcome. pairs with:
  // TransitionToComplete().
  [[nodiscard]] TaskSnapshot Load() const { return S(word_.load(std::memory_order_acquire)); }

  // As a task that was just made: in a queue, not cancelled, and only its queue and its handle
  // know it. It may have run before.
  // relaxed: it is a guess unless the caller takes the task out of its queue next.
  [[nodiscard]] bool fresh() const { return word_.load(std::memory_order_relaxed) == kFresh; }

  // -- The worker --------------------------------------------------------------

  StartResult TransitionToRunning() {
    // A task in a queue is notified, not running and not complete, so the
    // addition moves one bit. acquire: the poll sees all that happened before
    // each wake-up. pairs with: Notify*(), TransitionToIdle(), Abort().
    const S before(word_.fetch_add(S::kRunning - S::kNotified, std::memory_order_acquire));
    assert(before.notified() && !before.running() && !before.complete());
    return before.cancelled() ? StartResult::kCancel : StartResult::kRun;
  }

  // TransitionToRunning() of a task that stayed in kRunning while it was in a queue, because it
  // gave way to others.
  StartResult ContinueRunning() {
    // acquire: the poll sees what happened before each wake-up, the cancellation what happened
    // before the abort. pairs with: Notify*(), Abort(), TransitionToShutdown(). What the last
    // poll did came with the queue.
    const S now(word_.load(std::memory_order_acquire));
    if (now.cancelled()) return StartResult::kCancel;
    if (!now.notified()) return StartResult::kRun;
    // This turn is the one that was asked for. An abort that comes after it asks anew; one that
    // came before it has to be heeded, for its notification is gone. acquire: as above.
    const S before(word_.fetch_sub(S::kNotified, std::memory_order_acquire));
    return before.cancelled() ? StartResult::kCancel : StartResult::kRun;
  }

  // TransitionToRunning() of a fresh task whose JoinHandle's owner stands still on this thread
  // until the poll is over: nobody else can reach it, so it needs no RMW. False: nothing was
  // done.
  [[nodiscard]] bool RunUnshared() {
    // acquire: as in TransitionToRunning(), and as in Release() of references that are gone.
    if (word_.load(std::memory_order_acquire) != kFresh) return false;
    // relaxed: nobody else looks.
    word_.store(kFresh + (S::kRunning - S::kNotified), std::memory_order_relaxed);
    return true;
  }

  // After it the task may be gone, unless the result says that it is the
  // caller's still. `lent`: the poll has cloned a waker that is not counted yet.
  IdleResult TransitionToIdle(bool lent = false) {
    // release: the next worker sees this poll's writes to the future. pairs
    // with: TransitionToRunning(), TransitionToShutdown(). No acquire: what a
    // waker or aborter did is for the next transition to see.
    const S before(
        word_.fetch_add((lent ? S::kReference : 0) - S::kRunning, std::memory_order_release));
    assert(before.running());
    return before.notified() ? IdleResult::kNotified : IdleResult::kIdle;
  }

  // Publishes the outcome. What the result says of the join interest and the join
  // waker decides whose they are from here on.
  [[nodiscard]] TaskSnapshot TransitionToComplete() {
    // A running task is not complete, so the addition moves one bit.
    // release: publishes the outcome. pairs with: Load(). acquire: the join waker
    // is seen. pairs with: SetJoinWaker().
    const S before(word_.fetch_add(S::kComplete - S::kRunning, std::memory_order_acq_rel));
    assert(before.running() && !before.complete());
    return before;
  }

  // The same for a task that is in no list and of which nothing is left to do if the
  // JoinHandle is alive and has set no waker: then the runtime's reference goes, too, and
  // the task is the handle's. False: nothing was done.
  [[nodiscard]] bool CompleteForHandle() {
    // relaxed: a guess that the CAS verifies. No ABA: a waker that was set and taken back in
    // between is none that we would have to wake.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (S(word).join_interest() && !S(word).join_waker()) {
      // release: publishes the outcome, and our uses of the cell come before its freeing.
      // pairs with: Load(), Release(). No acquire: we look at nothing of the handle's.
      if (word_.compare_exchange_weak(word, word + (S::kComplete - S::kRunning) - S::kReference,
                                      std::memory_order_release, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // CompleteForHandle() without an RMW, as RunUnshared(). False: nothing was done; the poll has
  // shown the task to others, who have it still or have woken or aborted it.
  [[nodiscard]] bool CompleteUnshared() {
    constexpr std::uint64_t kRuns = kFresh + (S::kRunning - S::kNotified);
    // acquire: the uses of those who had a reference come before the cell's freeing, by the
    // handle's owner on this thread. pairs with: Release().
    if (word_.load(std::memory_order_acquire) != kRuns) return false;
    // relaxed: the next to look is the handle's owner, on this thread.
    word_.store(kRuns + (S::kComplete - S::kRunning) - S::kReference, std::memory_order_relaxed);
    return true;
  }

  // True: the task was idle, is now running and cancelled, and the caller's.
  // False: it is in a queue, or complete; it is marked cancelled.
  [[nodiscard]] bool TransitionToShutdown() {
    // relaxed: a guess that the CAS verifies.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const bool idle = S(word).idle();
      const std::uint64_t next = word | S::kCancelled | (idle ? S::kRunning : 0);
      // acquire: the last poll's writes to the future. pairs with:
      // TransitionToIdle(). release: what came before the shutdown is seen by the
      // cancellation, as in Abort(). pairs with: TransitionToRunning().
      if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return idle;
      }
    }
  }

  // -- Wakers ------------------------------------------------------------------

  NotifyResult NotifyByRef() { return Notify(0); }

  // Also gives up the waker's reference.
  NotifyResult NotifyByValue() { return Notify(S::kReference); }

  NotifyResult Abort() {
    // relaxed: a guess that the CAS verifies.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const S now(word);
      if (now.complete() || now.cancelled()) return NotifyResult::kDone;
      const std::uint64_t next = word | S::kCancelled | S::kNotified;
      // release: what the aborter did before is seen by the cancellation. pairs
      // with: TransitionToRunning(). acquire: who submits the task writes its
      // queue link, after the last worker's reads of it. pairs with:
      // TransitionToIdle().
      if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return now.idle() ? NotifyResult::kSubmit : NotifyResult::kDone;
      }
    }
  }

  // -- The JoinHandle ------------------------------------------------------------

  // The handle has written join_waker and gives it away. Refused, the flag is
  // set too late for anybody to look at it, and the waker is the handle's.
  JoinWakerResult SetJoinWaker() {
    // release: the waker is seen by the worker that completes. acquire: if the
    // task is complete, the outcome is seen. pairs with: TransitionToComplete().
    const S before(word_.fetch_add(S::kJoinWaker, std::memory_order_acq_rel));
    assert(!before.join_waker());
    return before.complete() ? JoinWakerResult::kComplete : JoinWakerResult::kDone;
  }
  // The handle takes join_waker back, to replace it. Refused, it is the worker's
  // that completed.
  JoinWakerResult UnsetJoinWaker() {
    // acquire: if the task is complete, the outcome is seen. pairs with:
    // TransitionToComplete(). No release: a worker that finds the flag clear looks at
    // nothing of the handle's, and for the cell's freeing the handle's reference orders.
    const S before(word_.fetch_sub(S::kJoinWaker, std::memory_order_acquire));
    assert(before.join_waker());
    return before.complete() ? JoinWakerResult::kComplete : JoinWakerResult::kDone;
  }

  // The handle goes away before the task is complete. If no join waker was set,
  // its reference goes with it. `had_waker` says whether join_waker is the
  // handle's again, to be dropped, with the reference after it.
  JoinWakerResult DropJoinHandle(bool& had_waker) {
    // acquire, here and where the CAS fails: if it says complete, the outcome is
    // the handle's. pairs with: TransitionToComplete().
    std::uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      const S now(word);
      if (now.complete()) return JoinWakerResult::kComplete;
      had_waker = now.join_waker();
      std::uint64_t next = word & ~(S::kJoinInterest | S::kJoinWaker);
      if (!had_waker) next -= S::kReference;
      // release: the handle's uses of the cell come before its freeing. No acquire
      // where it succeeds: only join_waker is left to look at, and whoever wrote it
      // has handed the handle to us.
      if (word_.compare_exchange_weak(word, next, std::memory_order_release,
                                      std::memory_order_acquire)) {
        return JoinWakerResult::kDone;
      }
    }
  }

  // DropJoinHandle() of a fresh task that nobody else knows as yet.
  void DetachUnshared() {
    // relaxed: what makes the task known to others orders it.
    word_.store(kFresh - S::kJoinInterest - S::kReference, std::memory_order_relaxed);
  }

  // -- References ------------------------------------------------------------------

  void AddReference() {
    // relaxed: a new reference is made from one that the caller holds.
    word_.fetch_add(S::kReference, std::memory_order_relaxed);
  }
  // True: that was the last one, the caller frees the cell.
  [[nodiscard]] bool Release() {
    // The last reference needs no RMW: nobody is left to make another. acquire
    // (Load): all others' uses of the cell come before its freeing.
    if (IsLastReference(Load())) return true;
    // release: our uses of the cell come before its freeing. acquire: as above.
    // pairs with: itself, and every other place that gives one up.
    const S before(word_.fetch_sub(S::kReference, std::memory_order_acq_rel));
    assert(before.references() > 0);
    return IsLastReference(before);
  }

 private:
  // While the task runs another may not be counted yet.
  static bool IsLastReference(S now) { return now.references() == 1 && !now.running(); }

  NotifyResult Notify(std::uint64_t given_up) {
    // relaxed: a guess that the CAS verifies.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const S now(word);
      // No poll will come that has to see anything.
      const bool complete = now.complete();
      if (complete && given_up == 0) return NotifyResult::kDone;
      const std::uint64_t next = (complete ? word : word | S::kNotified) - given_up;
      // release: also if the bit is set already, see the top. pairs with:
      // TransitionToRunning(). acquire: for the freeing of the cell,
      // and for the queue link, as in Abort().
      if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        if (complete && S(next).references() == 0) return NotifyResult::kDestroy;
        return now.idle() ? NotifyResult::kSubmit : NotifyResult::kDone;
      }
    }
  }

  static constexpr std::uint64_t kFresh = S::kNotified | S::kJoinInterest | 2 * S::kReference;

  Atomic<std::uint64_t> word_;
};

using TaskState = BasicTaskState<internal::Atomic>;

}  // namespace home

#endif  // HOME_TASK_TASK_STATE_H_
