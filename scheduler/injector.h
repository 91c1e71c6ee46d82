// Injector: the runtime's global queue, for tasks that come from outside of its
// workers.
//
// It is the SegmentQueue, which measured best (injector_benchmark.cc): a lock for
// both ends, or for the consumers alone, costs several times as much as soon as
// who holds it loses the processor, and a thread that pushes may be in the
// middle of a wake-up. What the queue does not know is added here: that it may
// be closed, by whoever shuts the runtime down.
//
//  C1  A task that is pushed is taken out, or refused and still the pusher's. A visit
//      begins before it looks whether the injector is closed, and the closer closes it
//      before he looks for visits; all four are seq_cst, so that one sees the other. So
//      what a visit has pushed is seen by the look for tasks that follows its end, and
//      who comes later is refused.
//  C2  When Close() has returned no visit is under way that began while a task was alive.
//      Who visits later has to keep the injector alive himself.
//
// It is a template so that the model checker runs it (injector_model_test.cc). The Policy
// has what a SegmentQueue needs, and a type Task.
//
// Thread-safety: full, but for what is said at Close.

#ifndef HOME_SCHEDULER_INJECTOR_H_
#define HOME_SCHEDULER_INJECTOR_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/base/optimization.h"
#include "home/queue/segment_queue.h"
#include "home/task/chaos.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

struct InjectorPolicy : internal::WithChaos<SegmentQueuePolicy> {
  using Task = TaskHeader;
};

template <typename Policy = InjectorPolicy>
class BasicInjector {
 public:
  using Task = typename Policy::Task;

  BasicInjector() = default;
  BasicInjector(const BasicInjector&) = delete;
  BasicInjector& operator=(const BasicInjector&) = delete;

  // The stay of a thread that pushes: until it ends, the injector and what else
  // the thread uses of the scheduler is there (C2).
  class Visit {
   public:
    explicit Visit(BasicInjector& injector) : injector_(injector) {
      // seq_cst: C1. pairs with: AwaitVisitors().
      injector_.entered_.fetch_add(1, std::memory_order_seq_cst);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
      // release: our uses come before the end. pairs with: AwaitVisitors().
      injector_.left_.fetch_add(1, std::memory_order_release);
    }

    // Appends `task`. False: the queue is closed and the task still the caller's.
    [[nodiscard]] bool Push(Task* task) {
      // seq_cst: C1. pairs with: CloseIfEmpty().
      if (injector_.closed_.load(std::memory_order_seq_cst)) return false;
      injector_.queue_.Push(task);
      return true;
    }

   private:
    BasicInjector& injector_;
  };

  // Takes up to `limit` tasks, but not more than one of `sharers` would get if
  // all were dealt out, oldest first, and hands each to `take`.
  template <typename Take>
  void PopBatch(std::size_t limit, std::size_t sharers, Take take) {
    const std::size_t share = size() / sharers + 1;
    for (std::size_t i = 0; i < std::min(limit, share); ++i) {
      const std::optional<Task*> task = queue_.TryPop();
      if (!task.has_value()) return;
      take(*task);
    }
  }

  // How many tasks there are, about: but a push that happened before is seen,
  // which is what the protocol of idle.h needs.
  [[nodiscard]] std::size_t size() const { return queue_.SizeHint(); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // What a pass of Close() has done.
  struct Pass {
    bool progress;  // it has ended a task
    bool all_done;  // no task is alive but those that are inside, or on their way there
  };

  // The end: calls `pass()`, which takes out and ends what is inside, and ends what tasks
  // there are elsewhere, until no task is alive; refuses all tasks from then on. By one
  // thread. A push of a task that was just made may be refused before that.
  template <typename PassFunction>
  void Close(PassFunction pass) {
    for (int idle = 0;;) {
      const Pass done = pass();
      if (done.all_done && CloseIfEmpty()) break;
      // Without progress a push is under way on another thread.
      if (done.progress) {
        idle = 0;
      } else {
        Policy::Relax(idle++);
      }
    }
    AwaitVisitors();
  }

  // How many tasks were ever pushed, those that were refused included.
  [[nodiscard]] std::uint64_t pushed() const {
    // relaxed: a figure.
    return left_.load(std::memory_order_relaxed);
  }

 private:
  // Refuses all further tasks, if there are none left inside. False: there are. A push
  // meanwhile may be refused in either case.
  [[nodiscard]] bool CloseIfEmpty() {
    // seq_cst: C1. pairs with: Visit::Push().
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
    // of the first look. acquire: what the visits did. pairs with: ~Visit(). seq_cst: C1.
    // pairs with: Visit().
    for (int i = 0;
         left_.load(std::memory_order_acquire) != entered_.load(std::memory_order_seq_cst); ++i) {
      Policy::Relax(i);
    }
  }

  SegmentQueue<Task*, Policy> queue_;
  alignas(ABSL_CACHELINE_SIZE) typename Policy::template Atomic<std::uint64_t> entered_{0};
  typename Policy::template Atomic<std::uint64_t> left_{0};
  typename Policy::template Atomic<bool> closed_{false};
};

using Injector = BasicInjector<>;

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_INJECTOR_H_
