// A scheduler for tests: one queue, run by hand on the calling thread, fed by
// any.

#ifndef HOME_TASK_TESTING_H_
#define HOME_TASK_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <source_location>
#include <utility>

#include "home/task/run_task.h"
#include "home/task/spawn.h"
#include "home/task/spawnable.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"

namespace home::testing {

class ManualScheduler final : public TaskScheduler {
 public:
  ManualScheduler() = default;
  // Cancels what is left.
  ~ManualScheduler() { Shutdown(); }

  template <Spawnable F>
  JoinHandle<SpawnOutput<F>> Spawn(F&& spawnable,
                                   TaskLabel label = std::source_location::current()) {
    return SpawnOn(*this, std::forward<F>(spawnable), label);
  }

  // Runs what is queued, and what that queues, until nothing is. Returns the
  // number of polls. One thread at a time, which works for this executor
  // meanwhile.
  std::size_t RunUntilIdle() {
    const TaskSchedulerScope scope(this);
    std::size_t polls = 0;
    for (; TaskHeader* task = Take(); ++polls) {
      Run(task);
    }
    return polls;
  }

  // Runs one turn of the next task that is woken. False: none is.
  bool RunOne() {
    const TaskSchedulerScope scope(this);
    TaskHeader* task = Take();
    if (task == nullptr) return false;
    Run(task);
    return true;
  }

  // The next task that is woken, for the caller to run, or null.
  TaskHeader* Take() {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return nullptr;
    TaskHeader* task = queue_.front();
    queue_.pop_front();
    return task;
  }

  // Cancels every task.
  void Shutdown() {
    while (true) {
      while (TaskHeader* task = Take()) {
        AbortTask(task);
        Run(task);
      }
      if (bound_ == nullptr) return;
      for (TaskHeader* task = bound_; task != nullptr;) {
        TaskHeader* next = task->list_next;
        if (ShutdownTask(task, *this)) {
          // It may have changed the list: begin again.
          next = bound_;
        }
        task = next;
      }
    }
  }

  // From now on a forked child that is the newest in the queue is given back to its parent, as
  // by a worker's deque (TaskScheduler::TakeBack).
  void GiveBack() { gives_back_ = true; }
  // How many were.
  std::size_t given_back() const { return given_back_; }

  int unjoined_exceptions() const { return unjoined_exceptions_; }

  void Schedule(TaskHeader* task) noexcept override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(task);
  }
  bool TakeBack(TaskHeader* task) noexcept override {
    const std::lock_guard lock(mutex_);
    if (!gives_back_ || queue_.empty() || queue_.back() != task) return false;
    queue_.pop_back();
    ++given_back_;
    return true;
  }
  void OnUnjoinedException(const TaskHeader&, std::exception_ptr) noexcept override {
    ++unjoined_exceptions_;
  }

  // As the owner of run_task.h.
  void Bind(TaskHeader* task) {
    task->owner = 0;
    task->list_next = bound_;
    if (bound_ != nullptr) bound_->list_previous = task;
    bound_ = task;
  }
  bool Unbind(TaskHeader* task) {
    (task->list_previous != nullptr ? task->list_previous->list_next : bound_) = task->list_next;
    if (task->list_next != nullptr) task->list_next->list_previous = task->list_previous;
    return true;
  }
  void ReleaseLater(TaskHeader*) {}

 private:
  void Run(TaskHeader* task) {
    Turn turn{.budget = std::numeric_limits<std::uint32_t>::max()};
    if (RunTask(task, &turn, *this) == RunResult::kRescheduled) Schedule(task);
  }

  std::mutex mutex_;
  std::deque<TaskHeader*> queue_;
  bool gives_back_ = false;
  std::size_t given_back_ = 0;
  TaskHeader* bound_ = nullptr;
  int unjoined_exceptions_ = 0;
};

}  // namespace home::testing

#endif  // HOME_TASK_TESTING_H_
