// Contention: for how long whoever lost a race for a word leaves it alone.
//
// Two threads that claim at the same end of a channel take its cache line from one another, and
// both are faster if one waits while the other makes a run of claims. Whether that pays is told by
// what the others made of the last wait: if they claimed cells all the while, one by one or in
// batches, the next one is twice as long; if not, be it as they do other work in between, half as
// long. So what a collision costs is little beside the run that follows it, and where claims are
// rare hardly anybody waits.
//
// It is the bounded exponential back-off of Anderson ("The Performance of Spin Lock Alternatives
// for Shared-Memory Multiprocessors", 1990), driven by what the others achieve instead of by
// failures, of which there are as many where it does not pay to wait.

#ifndef HOME_CHANNEL_CONTENTION_H_
#define HOME_CHANNEL_CONTENTION_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "home/channel/block.h"

namespace home::channel_internal {

// Of one word, which holds a position. Thread-safe.
template <typename Policy>
class Contention {
 public:
  // A CAS failed, as the word was `found`. Waits, at most for Policy::kMostPauses; `load()` is the
  // word afterwards, which is returned.
  template <typename Load>
  std::uint64_t Wait(std::uint64_t found, const Load& load) {
    if constexpr (Policy::kMostPauses == 0) return load();
    // relaxed, and the store: a guess, which costs time where it is wrong.
    const std::uint16_t pauses = pauses_.load(std::memory_order_relaxed);
    Policy::Pause(pauses);
    const std::uint64_t now = load();
    const std::uint64_t positions = ((now & ~kFlags) - (found & ~kFlags)) / kStep;
    const std::uint16_t next = positions * Policy::kPausesPerPosition >= pauses
                                   ? std::min<std::uint16_t>(pauses * 2, Policy::kMostPauses)
                                   : std::max<std::uint16_t>(pauses / 2, Policy::kLeastPauses);
    if (next != pauses) pauses_.store(next, std::memory_order_relaxed);
    return now;
  }

 private:
  typename Policy::template Atomic<std::uint16_t> pauses_{Policy::kLeastPauses};
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_CONTENTION_H_
