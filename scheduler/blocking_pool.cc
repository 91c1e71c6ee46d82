#include "home/scheduler/blocking_pool.h"

#include <utility>

#include "absl/status/statusor.h"
#include "home/future/fatal.h"
#include "home/scheduler/platform.h"
#include "home/scheduler/thread.h"
#include "home/task/run_task.h"

namespace home::scheduler_internal {
namespace {

// A closure is ready at its first poll, so its task is never in a list.
struct NoList {
  void Bind(TaskHeader*) { Fatal("a blocking closure was pending"); }
  bool Unbind(TaskHeader*) { return true; }
  void ReleaseLater(TaskHeader*) {}
};

void RunClosure(TaskHeader* task) {
  NoList owner;
  static_cast<void>(RunTask(task, nullptr, owner));
}

void CancelClosure(TaskHeader* task) {
  AbortTask(task);
  RunClosure(task);
}

void CancelAll(LockFreeMpscNode* closures) {
  while (closures != nullptr) {
    CancelClosure(static_cast<TaskHeader*>(std::exchange(closures, closures->next)));
  }
}

// A time to wait beyond which the clock's arithmetic could overflow.
constexpr absl::Duration kForever = absl::Hours(24 * 365);

}  // namespace

BlockingPool::BlockingPool(BlockingPoolOptions options) : options_(std::move(options)) {}

void BlockingPool::Schedule(TaskHeader* task) noexcept {
  bool start = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      task->next = nullptr;
      (tail_ != nullptr ? tail_->next : head_) = task;
      tail_ = task;
      ++queued_;
      if (idle_ > promised_) {
        ++promised_;
        work_.notify_one();
        return;
      }
      if (threads_ >= options_.max_threads) return;
      ++threads_;
      start = true;
    }
  }
  if (!start) return CancelClosure(task);
  if (StartThread()) return;
  // No thread could be had. The closure waits for one that there is already; if
  // there is none, nobody would ever take it.
  LockFreeMpscNode* stranded = nullptr;
  {
    const std::lock_guard lock(mutex_);
    --threads_;
    if (threads_ == 0) stranded = TakeAll();
    ended_.notify_all();
  }
  CancelAll(stranded);
}

void BlockingPool::OnUnjoinedException(const TaskHeader& task,
                                       std::exception_ptr exception) noexcept {
  options_.on_exception(task, std::move(exception));
}

bool BlockingPool::StartThread() {
  absl::StatusOr<Thread> thread =
      Thread::Start(options_.thread_stack_bytes, [this, owner = options_.keep_alive_for_thread()] {
        SetThreadName(options_.thread_name);
        options_.around_thread([this] { RunThread(); });
      });
  if (!thread.ok()) return false;
  thread->Detach();
  return true;
}

void BlockingPool::RunThread() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (head_ != nullptr) {
      TaskHeader* task = static_cast<TaskHeader*>(head_);
      head_ = task->next;
      if (head_ == nullptr) tail_ = nullptr;
      --queued_;
      lock.unlock();
      RunClosure(task);
      lock.lock();
      continue;
    }
    if (closed_) break;
    ++idle_;
    bool timed_out = false;
    if (options_.keep_alive >= kForever) {
      work_.wait(lock);
    } else {
      timed_out = work_.wait_for(lock, absl::ToChronoNanoseconds(options_.keep_alive)) ==
                  std::cv_status::timeout;
    }
    --idle_;
    // A signal may wake a thread whose time is up as well: the promise counts.
    if (promised_ > 0) {
      --promised_;
      continue;
    }
    if (timed_out && head_ == nullptr) break;
  }
  // Under the same lock as the decision to end: a closure that is queued after it
  // finds this thread gone.
  --threads_;
  ended_.notify_all();
}

LockFreeMpscNode* BlockingPool::TakeAll() {
  tail_ = nullptr;
  queued_ = 0;
  return std::exchange(head_, nullptr);
}

void BlockingPool::Close() {
  LockFreeMpscNode* queued = nullptr;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queued = TakeAll();
    work_.notify_all();
  }
  CancelAll(queued);
}

bool BlockingPool::AwaitThreads(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return WaitUntil(ended_, lock, deadline, [this] { return threads_ == 0; });
}

BlockingPool::Counts BlockingPool::counts() const {
  const std::lock_guard lock(mutex_);
  return {threads_, idle_, queued_};
}

}  // namespace home::scheduler_internal
