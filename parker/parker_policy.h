// ParkerPolicy, EventCountPolicy: what a parker, a FutexMutex and an event count take from their
// surroundings.
//
// They are templates over a policy so that a model checker or a test can put its own
// atomics, its own sleep and its own clock under the production header. A program uses
// the default and never names it.

#ifndef HOME_PARKER_PARKER_POLICY_H_
#define HOME_PARKER_PARKER_POLICY_H_

#include <atomic>
#include <cstdint>
#include <mutex>

#include "home/parker/cpu_relax.h"
#include "home/parker/futex.h"

namespace home {

struct ParkerPolicy {
  // An atomic object with the interface of std::atomic.
  template <typename U>
  using Atomic = std::atomic<U>;

  // How often a parker looks for a token before it goes to sleep, with a Relax() in
  // between: at least and at most. In between it adapts (parker.h, "Spin").
  static constexpr int kMinSpins = 8;
  static constexpr int kMaxSpins = 256;

  // How often one who finds a FutexMutex locked looks again before it sleeps, with a BackOff()
  // before each look: for one to three microseconds, where its holder needs a fiftieth of that and
  // a sleep some ten times as much.
  static constexpr int kMutexLooks = 4;

  static void Relax() { parker_internal::CpuRelax(); }
  // Between two looks at a lock that another thread holds. A look takes the lock's cache line from
  // the holder, which then waits for it to unlock; who looks seldom lets it lock and unlock many
  // times by itself.
  static void BackOff() {
    for (int i = 0; i < kBackOffPauses; ++i) Relax();
  }
  static std::int64_t Now() { return parker_internal::FutexClockNanos(); }
  static bool Wait(const Atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::int64_t deadline) {
    return parker_internal::FutexWait(word, expected, deadline);
  }
  static void Wake(const Atomic<std::uint32_t>* word) { parker_internal::FutexWake(word); }

 private:
  // A pause takes some 15 to 50 ns on the processors of these years.
  static constexpr int kBackOffPauses = 16;
};

struct EventCountPolicy : ParkerPolicy {
  using Mutex = std::mutex;

  static void Fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
};

}  // namespace home

#endif  // HOME_PARKER_PARKER_POLICY_H_
