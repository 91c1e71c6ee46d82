// RuntimeMetrics: what a runtime has done so far.
//
// Every worker counts for itself, on cache lines of its own, with relaxed
// stores; a snapshot adds them up. The figures of one snapshot are each exact
// for some moment during the call, but not all for the same one.

#ifndef HOME_SCHEDULER_METRICS_H_
#define HOME_SCHEDULER_METRICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace home {

// One worker's figures, since the start of the runtime.
struct WorkerMetrics {
  std::uint64_t polls = 0;             // polls of tasks
  std::uint64_t completed = 0;         // tasks that ended on this worker
  std::uint64_t spawned = 0;           // tasks spawned on this worker
  std::uint64_t steals = 0;            // successful raids on other workers' queues
  std::uint64_t stolen = 0;            // tasks taken in these
  std::uint64_t parks = 0;             // times that it went to sleep
  std::uint64_t wakes = 0;             // times that another thread woke it
  std::uint64_t reactor_polls = 0;     // looks at the reactor, blocking or not
  std::uint64_t reactor_events = 0;    // readiness events that these found
  std::uint64_t timers_fired = 0;      // timers whose time had come
  std::uint64_t budget_exhausted = 0;  // polls that ran into the cooperative budget
  std::size_t queue_depth = 0;         // tasks in its queue now
};

struct RuntimeMetrics {
  std::vector<WorkerMetrics> workers;
  std::uint64_t tasks_spawned = 0;
  std::uint64_t tasks_completed = 0;
  std::uint64_t tasks_alive = 0;  // spawned and not yet complete
  std::uint64_t polls = 0;
  std::uint64_t steals = 0;
  std::uint64_t stolen = 0;
  std::uint64_t parks = 0;
  std::uint64_t wakes = 0;
  std::uint64_t reactor_events = 0;
  std::uint64_t timers_fired = 0;
  std::uint64_t injected = 0;        // tasks that came through the global queue
  std::size_t injector_depth = 0;    // tasks in the global queue now
  std::size_t blocking_threads = 0;  // threads of the blocking pool now
  std::size_t blocking_idle = 0;     // of these, without work
  std::size_t blocking_queued = 0;   // closures that wait for a thread
};

namespace scheduler_internal {

// A counter with one writer.
class Counter {
 public:
  void Add(std::uint64_t n = 1) {
    // relaxed: one writer, so no increment is lost; readers want any recent
    // value.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace scheduler_internal
}  // namespace home

#endif  // HOME_SCHEDULER_METRICS_H_
