// MemoryRelease: when the program is told that memory lies idle (RuntimeBuilder::OnMemoryFreed).
//
// What a burst of tasks leaves behind goes back to the allocator (home/future/frame_allocator.h),
// and there it stays: most allocators give pages back to the system only when somebody asks for
// memory or frees some, and who is idle does neither. So the program is told, that is its workers
// are, each for itself, since allocators keep memory a thread. Each gives back before that what the
// frame cache has kept, too: one such block holds a whole page of the allocator's.
//
// This says when. Memory is given back as blocks are, by all threads of the process, and is
// counted. A round begins once
//
//   kWorthwhile was given back since the last round, and
//   no more of it than that for as long as kQuiet: the burst is over.
//
// Only a worker that has nothing to do looks, so a busy runtime is not told, nor one whose
// bursts follow upon each other. A burst may well end as all sleep. So who finds something worth
// while wakes the driver (watch.h), and that one sleeps no longer than until the next look is due.
//
// Thread-safety: full. Cost: two loads a look as long as there is nothing to tell; then a lock.

#ifndef HOME_SCHEDULER_MEMORY_RELEASE_H_
#define HOME_SCHEDULER_MEMORY_RELEASE_H_

#include <atomic>
#include <cstdint>
#include <mutex>

#include "absl/time/time.h"
#include "home/task/chaos.h"
#include "home/timer/instant.h"

namespace home::scheduler_internal {

class MemoryRelease {
 public:
  static constexpr std::uint64_t kWorthwhile = std::uint64_t{1} << 20;
  static constexpr absl::Duration kQuiet = absl::Milliseconds(500);

  enum class [[nodiscard]] Finding {
    kNothing,
    kBegins,  // something is worth while: the driver is to look again
    kDue,     // a round has begun, of which all workers are to be told
  };

  // `returned`: what was given back before.
  explicit MemoryRelease(std::uint64_t returned) : released_(returned) {}
  MemoryRelease(const MemoryRelease&) = delete;
  MemoryRelease& operator=(const MemoryRelease&) = delete;

  // By a worker that has nothing to do: `returned` is what was given back until now, and `now()`
  // the machine's time.
  template <typename Now>
  Finding Look(std::uint64_t returned, const Now& now) {
    // relaxed: a guess, which the lock verifies.
    if (!IsWorthwhile(returned, released_.load(std::memory_order_relaxed))) {
      return Finding::kNothing;
    }
    const std::lock_guard lock(mutex_);
    // relaxed, all: written under the lock.
    if (!IsWorthwhile(returned, released_.load(std::memory_order_relaxed))) {
      return Finding::kNothing;
    }
    const Instant time = now();
    const bool pending = next_look_.load(std::memory_order_relaxed) != kNever;
    if (!pending || IsWorthwhile(returned, seen_)) {
      seen_ = returned;
      next_look_.store((time + kQuiet).nanoseconds(), std::memory_order_relaxed);
      return pending ? Finding::kNothing : Finding::kBegins;
    }
    if (time.nanoseconds() < next_look_.load(std::memory_order_relaxed)) return Finding::kNothing;
    released_.store(returned, std::memory_order_relaxed);
    next_look_.store(kNever, std::memory_order_relaxed);
    // relaxed: says nothing but that there was a round.
    round_.fetch_add(1, std::memory_order_relaxed);
    return Finding::kDue;
  }

  // How many rounds there were.
  [[nodiscard]] std::uint64_t round() const {
    // relaxed: who is woken for a round sees it by that; who sees it later is told later.
    return round_.load(std::memory_order_relaxed);
  }

  // When the driver is to look again.
  [[nodiscard]] Instant next_look() const {
    // relaxed: it was written by a look of the driver's own, or by one that woke it after that.
    return Instant::FromNanoseconds(next_look_.load(std::memory_order_relaxed));
  }

 private:
  static constexpr std::int64_t kNever = INT64_MAX;  // Instant::Infinite()

  // Of two readings of a counter by different threads the one may be older than the other.
  static bool IsWorthwhile(std::uint64_t returned, std::uint64_t since) {
    return static_cast<std::int64_t>(returned - since) >= std::int64_t{kWorthwhile};
  }

  std::mutex mutex_;
  // What was given back before the last round, and before the last look that found more.
  internal::Atomic<std::uint64_t> released_;
  std::uint64_t seen_ = 0;
  internal::Atomic<std::int64_t> next_look_{kNever};
  internal::Atomic<std::uint64_t> round_{0};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_MEMORY_RELEASE_H_
