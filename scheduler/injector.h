// Injector: the runtime's global queue, for tasks that come from outside of its
// workers.
//
// A lock and a list, linked through the tasks: pushing from outside is rare and
// is followed by a wake-up that costs a hundred times as much. Workers take
// tasks in batches, and look at the size before they take the lock.
//
// Thread-safety: full.

#ifndef HOME_SCHEDULER_INJECTOR_H_
#define HOME_SCHEDULER_INJECTOR_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "home/task/task_header.h"

namespace home::scheduler_internal {

class Injector {
 public:
  Injector() = default;
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  // Appends `task`. False: the queue is closed and the task still the caller's.
  [[nodiscard]] bool Push(TaskHeader* task) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    task->next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = task;
    tail_ = task;
    ++pushed_;
    SetSize(size() + 1);
    return true;
  }

  // Takes up to `limit` tasks, oldest first, and hands each to `take`.
  template <typename Take>
  void PopBatch(std::size_t limit, Take take) {
    MpscNode* chain = nullptr;
    std::size_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      count = std::min(limit, size());
      if (count == 0) return;
      chain = head_;
      for (std::size_t i = 0; i < count; ++i) head_ = head_->next;
      if (head_ == nullptr) tail_ = nullptr;
      SetSize(size() - count);
    }
    for (; count > 0; --count) {
      MpscNode* node = chain;
      chain = chain->next;
      take(static_cast<TaskHeader*>(node));
    }
  }

  // Refuses all further tasks, if there are none left inside. False: there are.
  [[nodiscard]] bool CloseIfEmpty() {
    const std::lock_guard lock(mutex_);
    closed_ = closed_ || head_ == nullptr;
    return closed_;
  }

  [[nodiscard]] std::size_t size() const {
    // relaxed: exact under the lock; without it a hint, which the protocol of
    // idle.h orders where it matters.
    return size_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // How many tasks were ever pushed.
  [[nodiscard]] std::uint64_t pushed() const {
    const std::lock_guard lock(mutex_);
    return pushed_;
  }

 private:
  // Under the mutex.
  void SetSize(std::size_t size) {
    // relaxed: see size().
    size_.store(size, std::memory_order_relaxed);
  }

  mutable std::mutex mutex_;
  // All but size_ under the mutex.
  MpscNode* head_ = nullptr;
  MpscNode* tail_ = nullptr;
  bool closed_ = false;
  std::uint64_t pushed_ = 0;
  std::atomic<std::size_t> size_{0};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_INJECTOR_H_
