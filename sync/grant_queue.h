// GrantQueue: those who wait for a share of something, and are handed it in order.
//
// What is shared is one atomic word, of which the kind of thing says what a request takes
// (a permit of many, the right to read, the right to write):
//
//   struct Kind {
//     // The word after `request` was taken from `word`, both without flags; nothing if that
//     // is not possible now. May never become possible because others take.
//     static std::optional<std::uint64_t> Take(std::uint64_t word, std::uint64_t request);
//     // Whether a waiter with `request` comes before one with `other` that is in the list.
//     static bool IsUrgent(std::uint64_t request, std::uint64_t other);
//   };
//
//   word_   63 ............... 2     1         0
//          +--------------------+--------+---------+
//          |  what is shared    | closed | waiting |
//          +--------------------+--------+---------+
//   waiting  somebody is in the list; or was, until the last one was handed what was Set()
//   closed   nothing can be taken any more; for ever
//
// Taking is one CAS if nobody waits, and giving back one fetch_add; waiting and what is shared
// are in one word, so that neither can miss the other.
//
// Invariants
//  I1  While `waiting` is set only the first in the list takes, but for urgent requests. So it
//      cannot starve, however much it wants.
//  I2  `waiting` is set under the mutex, by a CAS that finds the word without enough for the
//      request, and cleared under the mutex when the list is empty; but for Set(), which leaves
//      that to the next.
//  I3  If the word has enough for the first in the list then somebody is on the way to Serve():
//      whoever changed the word so, and found `waiting`, or took somebody out of the list.
//  I4  What was taken for a waiter is its own. If its future is dropped before it has seen
//      that, the owner gives it back (Cancel()).
//
// A grant that is not looked at, since the future is not polled, holds what was granted and
// nothing else, as if its owner had it: the others are served past it. This is how Tokio's
// semaphore hands permits over. Where a request for little may overtake one for much, as where
// waiters compete (wait_queue.h), the latter starves.

#ifndef HOME_SYNC_GRANT_QUEUE_H_
#define HOME_SYNC_GRANT_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/sync/sync_policy.h"
#include "home/sync/waiter_list.h"

namespace home::sync_internal {

// How a request stands.
enum class [[nodiscard]] Grant : std::uint8_t {
  kWaits,
  kTaken,     // the caller has it
  kReleased,  // by ReleaseAll() or Close(): it takes nothing
};

template <typename Kind, typename Policy = SyncPolicy>
class GrantQueue {
 public:
  // The first bit of what is shared.
  static constexpr std::uint64_t kOne = 4;

  class Waiter : public sync_internal::Waiter<Policy> {
   private:
    friend class GrantQueue;
    std::uint64_t request_;
    Grant grant_;  // What it was released with.
  };

  explicit GrantQueue(std::uint64_t word) : word_(word) {}
  GrantQueue(const GrantQueue&) = delete;
  GrantQueue& operator=(const GrantQueue&) = delete;

  // Takes if that is possible now and nobody waits.
  [[nodiscard]] bool TryTake(std::uint64_t request) {
    // relaxed: the CAS verifies it.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while ((word & kFlags) == 0) {
      const std::optional<std::uint64_t> taken = Kind::Take(word, request);
      if (!taken.has_value()) return false;
      // acquire: what preceded the giving back of what we take. pairs with: Give(). relaxed on
      // failure: as the load.
      if (ABSL_PREDICT_TRUE(word_.compare_exchange_weak(word, *taken, std::memory_order_acquire,
                                                        std::memory_order_relaxed))) {
        return true;
      }
    }
    return false;
  }

  // Whether TryTake() would have at this moment.
  [[nodiscard]] bool CanTake(std::uint64_t request) const {
    // relaxed: nothing is taken.
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return (word & kFlags) == 0 && Kind::Take(word, request).has_value();
  }

  // Adds `amount`, modulo 2^64, to what is shared: something is given back, or exchanged for
  // less.
  void Give(std::uint64_t amount) {
    // release: what precedes it happens before what follows the taking. pairs with: TryTake(),
    // TakeOrWait(), Serve().
    const std::uint64_t before = word_.fetch_add(amount, std::memory_order_release);
    if (ABSL_PREDICT_FALSE((before & kWaiting) != 0)) ServeAndWake();
  }
  // Whom Set() is for, if several wait.
  enum class Whom : std::uint8_t { kFirst, kLast };
  // Instead of Give(), for a thing that is there once or not at all: `bits`, which each request
  // takes. It goes to one that waits, and is in the word only if there is none.
  void Set(std::uint64_t bits, Whom whom = Whom::kFirst) {
    // relaxed: the CAS verifies it, or SetAndWake() looks again.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while ((word & kWaiting) == 0) {
      // release: as in Give(), also if it is there already. relaxed: as the load.
      if (word_.compare_exchange_weak(word, word | bits, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
    SetAndWake(bits, whom);
  }
  // What is there now, with flags.
  [[nodiscard]] std::uint64_t word() const {
    // acquire: as in TryTake().
    return word_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool IsClosed() const { return (word() & kClosed) != 0; }
  // Whether somebody waits at this moment, where Set() is not used.
  [[nodiscard]] bool HasWaiters() const { return (word() & kWaiting) != 0; }

  // One poll of a request; the same one each time until the answer is not kWaits.
  Grant Poll(Waiter& waiter, std::uint64_t request, const Waker& waker) {
    if (waiter.state() == WaiterState::kIdle) {
      if (ABSL_PREDICT_TRUE(TryTake(request))) return Grant::kTaken;
    } else if (List::SeesRelease(mutex_, waiter)) {
      return waiter.grant_;
    }
    return PollSlowly(waiter, request, waker);
  }

  // The future goes: true if the waiter was granted its request, which the caller gives back.
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE bool Cancel(Waiter& waiter) {
    if (waiter.state() == WaiterState::kIdle) return false;
    bool has_it = false;
    WakeList wakes;
    list_.Forget(mutex_, waiter, [&](WaiterState state) {
      has_it = state == WaiterState::kReleased && waiter.grant_ == Grant::kTaken;
      // It may have stood before one for which there is enough.
      if (state == WaiterState::kListed) Serve(wakes);
    });
    wakes.WakeAll();
    return has_it;
  }

  // Lets go all who wait at this moment, with nothing.
  void ReleaseAll() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      ReleaseAllLocked(wakes);
    }
    wakes.WakeAll();
  }
  // The same, and all who come later.
  void Close() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      // release: what precedes it happens before an answer that is kReleased because of it.
      word_.fetch_or(kClosed, std::memory_order_release);
      ReleaseAllLocked(wakes);
    }
    wakes.WakeAll();
  }

 private:
  using List = WaiterList<Waiter>;

  static constexpr std::uint64_t kWaiting = 1;
  static constexpr std::uint64_t kClosed = 2;
  static constexpr std::uint64_t kFlags = kOne - 1;

  ABSL_ATTRIBUTE_NOINLINE Grant PollSlowly(Waiter& waiter, std::uint64_t request,
                                           const Waker& waker) {
    Grant grant = Grant::kWaits;
    list_.Poll(
        mutex_, waiter, waker, /*will_likely_wait=*/!IsClosed(),
        [&](bool released) {
          if (released) {
            grant = waiter.grant_;
            return true;
          }
          // One that is listed is served by others (I3).
          if (waiter.state() == WaiterState::kListed) return false;
          grant = TakeOrWait(request);
          return grant != Grant::kWaits;
        },
        [&](Waiter& node) {
          node.request_ = request;
          Waiter* next = list_.first();
          while (next != nullptr && !Kind::IsUrgent(request, next->request_)) {
            next = List::Next(*next);
          }
          list_.LinkBefore(node, next);
        });
    return grant;
  }

  // Under the mutex. kWaits: `waiting` is set, for one that the caller puts into the list.
  Grant TakeOrWait(std::uint64_t request) {
    const bool is_first = list_.empty() || Kind::IsUrgent(request, list_.first()->request_);
    // relaxed: the CAS verifies it; but for kClosed, which changes under the mutex.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while ((word & kClosed) == 0) {
      const std::uint64_t waiting = word & kWaiting;
      if (is_first) {
        if (const auto taken = Kind::Take(word - waiting, request)) {
          // acquire, relaxed: as in TryTake().
          if (word_.compare_exchange_weak(word, *taken + waiting, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
            return Grant::kTaken;
          }
          continue;
        }
      }
      if (waiting != 0) return Grant::kWaits;
      // relaxed, both: publishes nothing; the list belongs to the mutex. A Give() after it in
      // the word's order finds it (I2).
      if (word_.compare_exchange_weak(word, word + kWaiting, std::memory_order_relaxed,
                                      std::memory_order_relaxed)) {
        return Grant::kWaits;
      }
    }
    return Grant::kReleased;
  }

  ABSL_ATTRIBUTE_NOINLINE void ServeAndWake() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      Serve(wakes);
    }
    // From here on *this may be gone: who was served may have destroyed it.
    wakes.WakeAll();
  }

  ABSL_ATTRIBUTE_NOINLINE void SetAndWake(std::uint64_t bits, Whom whom) {
    Waker waker;
    {
      const std::lock_guard lock(mutex_);
      if (list_.empty()) {
        // relaxed, release: as in Set().
        std::uint64_t word = word_.load(std::memory_order_relaxed);
        while (!word_.compare_exchange_weak(word, (word & ~kWaiting) | bits,
                                            std::memory_order_release, std::memory_order_relaxed)) {
        }
        return;
      }
      // The word stays as it is, `waiting` with it (I2): who was woken mostly waits again soon.
      Waiter& waiter = whom == Whom::kFirst ? *list_.first() : *list_.last();
      waiter.grant_ = Grant::kTaken;
      waker = list_.Release(waiter);
    }
    // As in ServeAndWake().
    std::move(waker).Wake();
  }

  // Under the mutex: grants from the front as long as there is enough.
  void Serve(WakeList& wakes) {
    // relaxed: the CAS verifies it. If there is more than this load sees, whoever added that
    // comes here after us (I3).
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (!list_.empty()) {
      if ((word & kClosed) != 0) return;
      Waiter& first = *list_.first();
      const auto taken = Kind::Take(word & ~kFlags, first.request_);
      if (!taken.has_value()) return;
      const std::uint64_t left = *taken + (List::Next(first) != nullptr ? kWaiting : 0);
      // acquire: as in TryTake(); what the waiter's owner sees is passed on by Release().
      if (!word_.compare_exchange_weak(word, left, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        continue;
      }
      word = left;
      first.grant_ = Grant::kTaken;
      wakes.Push(list_.Release(first));
    }
    // relaxed: as in TakeOrWait(). Often it is cleared already.
    if ((word & kWaiting) != 0) word_.fetch_and(~kWaiting, std::memory_order_relaxed);
  }

  // Under the mutex.
  void ReleaseAllLocked(WakeList& wakes) {
    while (!list_.empty()) {
      list_.first()->grant_ = Grant::kReleased;
      wakes.Push(list_.Release(*list_.first()));
    }
    word_.fetch_and(~kWaiting, std::memory_order_relaxed);
  }

  typename Policy::template Atomic<std::uint64_t> word_;
  typename Policy::Mutex mutex_;
  List list_;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_GRANT_QUEUE_H_
