// QueuePolicy: what the queues take from their surroundings.
//
// The queues are templates over this policy so that a model checker or a test can put
// its own atomics and its own waiting under the production headers. A program uses the
// default and never names it.

#ifndef HOME_QUEUE_QUEUE_POLICY_H_
#define HOME_QUEUE_QUEUE_POLICY_H_

#include <atomic>
#include <thread>

namespace home {

struct QueuePolicy {
  // An atomic object with the interface of std::atomic.
  template <typename U>
  using Atomic = std::atomic<U>;

  // Waits a moment for another thread that is in the middle of an operation; `attempt`
  // counts from 0 within one wait. That thread needs some nanoseconds if it runs; if it
  // does not, it needs our processor.
  static void Relax(int attempt) {
    if (attempt >= kSpinsBeforeYield) std::this_thread::yield();
  }

 private:
  static constexpr int kSpinsBeforeYield = 32;
};

}  // namespace home

#endif  // HOME_QUEUE_QUEUE_POLICY_H_
