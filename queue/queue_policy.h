// QueuePolicy: what the queues take from their surroundings.
//
// The queues are templates over this policy so that a model checker or a test can put
// its own atomics and its own waiting under the production headers. A program uses the
// default and never names it.

#ifndef HOME_QUEUE_QUEUE_POLICY_H_
#define HOME_QUEUE_QUEUE_POLICY_H_

#include <atomic>
#include <thread>
#include <type_traits>

#include "home/queue/cpu_relax.h"

namespace home {

struct QueuePolicy {
  // An atomic object with the interface of std::atomic.
  template <typename U>
  using Atomic = std::atomic<U>;

  // A plain object that threads hand to one another. A model checker watches it for races.
  template <typename U>
  using Plain = U;

  // Waits a moment for another thread that is in the middle of an operation; `attempt`
  // counts from 0 within one wait. That thread needs some nanoseconds if it runs, but who
  // looks again at once takes its cache line away and then follows it from cell to cell, a
  // transfer each; who comes a microsecond later finds a run of cells done. If the thread
  // does not run, it needs our processor.
  static void Relax(int attempt) {
    if (attempt >= kWaitsBeforeYield) return std::this_thread::yield();
    Pause(kBackOffPauses << attempt);
  }

  // Waits for about a microsecond, because another thread has just won a race for the same
  // cache line, and both are faster if they do not share it now.
  static void BackOff() { Pause(kBackOffPauses); }

  // A pause takes some 15 to 50 ns on the processors of these years.
  static void Pause(int times) {
    for (int i = 0; i < times; ++i) queue_internal::CpuRelax();
  }

 private:
  static constexpr int kBackOffPauses = 64;
  static constexpr int kWaitsBeforeYield = 3;
};

// What the queues that own their elements can hold: between claiming a cell and handing it
// over there is no way back, so nothing may throw there. Nor may T's move constructor, or the
// destructor of what was moved from, use the queue that is just moving it: it could wait for the
// cell that it is in. Values themselves may, when they die.
template <typename T>
concept QueueElement = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>;

}  // namespace home

#endif  // HOME_QUEUE_QUEUE_POLICY_H_
