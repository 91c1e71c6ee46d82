// Injector: the runtime's global queue, for tasks that come from outside of its
// workers.
//
// It is the SegmentQueue, which measured best (injector_benchmark.cc): a lock for
// both ends, or for the consumers alone, costs several times as much as soon as
// who holds it loses the processor, and a thread that pushes may be in the
// middle of a wake-up. What the queue does not know is added here: that it may
// be closed.
//
// Thread-safety: full, but for what is said at CloseIfEmpty.

#ifndef HOME_SCHEDULER_INJECTOR_H_
#define HOME_SCHEDULER_INJECTOR_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

#include "absl/base/optimization.h"
#include "home/queue/segment_queue.h"
#include "home/task/chaos.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

class Injector {
 public:
  Injector() = default;
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  // The stay of a thread that pushes: until it ends, the injector and what else
  // the thread uses of the scheduler is there (AwaitVisitors).
  class Visit {
   public:
    explicit Visit(Injector& injector) : injector_(injector) {
      // seq_cst: comes before the look at closed_, as in CloseIfEmpty() the store
      // comes before the look here.
      injector_.entered_.fetch_add(1, std::memory_order_seq_cst);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
      // release: our uses come before the end. pairs with: AwaitVisitors().
      injector_.left_.fetch_add(1, std::memory_order_release);
    }

    // Appends `task`. False: the queue is closed and the task still the caller's.
    [[nodiscard]] bool Push(TaskHeader* task) {
      // seq_cst: as above.
      if (injector_.closed_.load(std::memory_order_seq_cst)) return false;
      injector_.queue_.Push(task);
      return true;
    }

   private:
    Injector& injector_;
  };

  // Takes up to `limit` tasks, but not more than one of `sharers` would get if
  // all were dealt out, oldest first, and hands each to `take`.
  template <typename Take>
  void PopBatch(std::size_t limit, std::size_t sharers, Take take) {
    const std::size_t share = size() / sharers + 1;
    for (std::size_t i = 0; i < std::min(limit, share); ++i) {
      const std::optional<TaskHeader*> task = queue_.TryPop();
      if (!task.has_value()) return;
      take(*task);
    }
  }

  // How many tasks there are, about: but a push that happened before is seen,
  // which is what the protocol of idle.h needs.
  [[nodiscard]] std::size_t size() const { return queue_.SizeHint(); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // Refuses all further tasks, if there are none left inside. False: there are.
  // By one thread at a time. A push meanwhile may be refused in either case.
  [[nodiscard]] bool CloseIfEmpty() {
    // seq_cst: comes before the look at entered_. Who enters later sees it.
    closed_.store(true, std::memory_order_seq_cst);
    AwaitVisitors();
    if (empty()) return true;
    // relaxed: who reads an old value is refused, as is said above.
    closed_.store(false, std::memory_order_relaxed);
    return false;
  }

  // Returns when all visits have ended that began before the call.
  void AwaitVisitors() const {
    // Equal counts, read in this order, mean that nobody was inside at the time
    // of the first look. acquire: pairs with ~Visit(). seq_cst: see Visit().
    while (left_.load(std::memory_order_acquire) != entered_.load(std::memory_order_seq_cst)) {
      std::this_thread::yield();
    }
  }

  // How many tasks were ever pushed, those that were refused included.
  [[nodiscard]] std::uint64_t pushed() const {
    // relaxed: a figure.
    return left_.load(std::memory_order_relaxed);
  }

 private:
  SegmentQueue<TaskHeader*, internal::WithChaos<SegmentQueuePolicy>> queue_;
  alignas(ABSL_CACHELINE_SIZE) internal::Atomic<std::uint64_t> entered_{0};
  internal::Atomic<std::uint64_t> left_{0};
  internal::Atomic<bool> closed_{false};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_INJECTOR_H_
