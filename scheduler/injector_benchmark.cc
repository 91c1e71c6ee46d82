// What the runtime's global queue could be made of: the cost of pushing tasks and
// taking batches, for the queue that the Injector uses and for two others.
//
// Each thread pushes a batch of its own tasks and takes as many as it gets of anybody's.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/segment_queue.h"
#include "home/task/task_header.h"
#include "home/task/task_id.h"

namespace home::scheduler_internal {
namespace {

class Task final : public TaskHeader {
 public:
  Task() : TaskHeader(nullptr, nullptr, TaskId(), std::source_location::current()) {}
};

// One lock for both ends.
class Locked {
 public:
  void Push(TaskHeader* task) {
    const std::lock_guard lock(mutex_);
    task->next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = task;
    tail_ = task;
  }
  template <typename Take>
  void PopBatch(std::size_t limit, Take take) {
    LockFreeMpscNode* chain = nullptr;
    std::size_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      chain = head_;
      for (; count < limit && head_ != nullptr; ++count) head_ = head_->next;
      if (head_ == nullptr) tail_ = nullptr;
    }
    for (; count > 0; --count) {
      LockFreeMpscNode* node = chain;
      chain = chain->next;
      take(static_cast<TaskHeader*>(node));
    }
  }

 private:
  std::mutex mutex_;
  LockFreeMpscNode* head_ = nullptr;
  LockFreeMpscNode* tail_ = nullptr;
};

// A push that never waits; consumers share a lock.
class Stacked {
 public:
  void Push(TaskHeader* task) { pushed_.Push(task); }
  template <typename Take>
  void PopBatch(std::size_t limit, Take take) {
    LockFreeMpscNode* chain = nullptr;
    std::size_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      TaskHeader* last = nullptr;
      for (; count < limit; ++count) {
        TaskHeader* task = pushed_.Pop();
        if (task == nullptr) break;
        (last == nullptr ? chain : last->next) = task;
        last = task;
      }
    }
    for (; count > 0; --count) {
      LockFreeMpscNode* node = chain;
      chain = chain->next;
      take(static_cast<TaskHeader*>(node));
    }
  }

 private:
  std::mutex mutex_;
  LockFreeMpscQueue<TaskHeader> pushed_;
};

// What the Injector is made of.
class Segments {
 public:
  void Push(TaskHeader* task) { queue_.Push(task); }
  template <typename Take>
  void PopBatch(std::size_t limit, Take take) {
    for (std::size_t i = 0; i < limit; ++i) {
      std::optional<TaskHeader*> task = queue_.TryPop();
      if (!task.has_value()) return;
      take(*task);
    }
  }

 private:
  SegmentQueue<TaskHeader*> queue_;
};

template <typename Queue>
void BM_Circulate(benchmark::State& state) {
  static Queue* queue = nullptr;
  static std::vector<std::unique_ptr<Task>>* tasks = nullptr;
  const std::size_t batch = static_cast<std::size_t>(state.range(0));
  if (state.thread_index() == 0) {
    queue = new Queue;
    tasks = new std::vector<std::unique_ptr<Task>>;
    for (std::size_t i = 0; i < batch * static_cast<std::size_t>(state.threads()); ++i) {
      tasks->push_back(std::make_unique<Task>());
    }
  }
  std::vector<TaskHeader*> mine;
  bool first = true;
  std::size_t moved = 0;
  for (auto _ : state) {
    if (first) {
      // Only past the barrier at the loop's start does thread 0's work show.
      first = false;
      for (std::size_t i = 0; i < batch; ++i) {
        mine.push_back((*tasks)[static_cast<std::size_t>(state.thread_index()) * batch + i].get());
      }
    }
    for (TaskHeader* task : mine) queue->Push(task);
    moved += mine.size();
    mine.clear();
    queue->PopBatch(batch, [&](TaskHeader* task) { mine.push_back(task); });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(moved));
  if (state.thread_index() == 0) {
    delete queue;
    delete tasks;
  }
}
BENCHMARK_TEMPLATE(BM_Circulate, Stacked)->Arg(1)->Arg(16)->ThreadRange(1, 4)->UseRealTime();
BENCHMARK_TEMPLATE(BM_Circulate, Locked)->Arg(1)->Arg(16)->ThreadRange(1, 4)->UseRealTime();
BENCHMARK_TEMPLATE(BM_Circulate, Segments)->Arg(1)->Arg(16)->ThreadRange(1, 4)->UseRealTime();

}  // namespace
}  // namespace home::scheduler_internal
