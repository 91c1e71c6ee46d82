#include "home/scheduler/blocking_pool.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
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

void CancelAll(TaskHeader* closures) {
  while (closures != nullptr) {
    TaskHeader* const closure = closures;
    closures = static_cast<TaskHeader*>(closure->next);
    CancelClosure(closure);
  }
}

// What this thread of a pool is to do after the closure that it runs, instead of waiting for
// another one; or null. Reached through functions of this file alone, see worker.cc.
thread_local std::function<void()>* thread_end = nullptr;

}  // namespace

BlockingPool::BlockingPool(BlockingPoolOptions options)
    : options_(std::move(options)), ledger_(AllLimits(options_)) {}

BlockingPool::Ledger::Limits BlockingPool::AllLimits(const BlockingPoolOptions& options) {
  Ledger::Limits limits;
  limits.fill(SIZE_MAX);
  std::copy(options.limits.begin(), options.limits.end(), limits.begin());
  return limits;
}

void BlockingPool::Run(TaskHeader* task, BlockingClass blocking_class) noexcept {
  const auto task_class = static_cast<std::size_t>(blocking_class);
  Obey(ledger_.Admit(task, task_class), task, task_class);
}

void BlockingPool::RunAtOnce(TaskHeader* task) noexcept {
  Obey(ledger_.AdmitAtOnce(task, kInPlace), task, kInPlace);
}

void BlockingPool::Obey(const Ledger::Admitted& admitted, TaskHeader* task,
                        std::size_t task_class) noexcept {
  switch (admitted.what) {
    case Ledger::Admission::kRefused:
      return CancelClosure(task);
    case Ledger::Admission::kAccepted:
      return;
    case Ledger::Admission::kStart:
      if (StartThread(admitted.to_run, task_class)) return;
      return CancelAll(ledger_.StartFailed(admitted.to_run, task_class));
  }
}

void BlockingPool::OnUnjoinedException(const TaskHeader& task,
                                       std::exception_ptr exception) noexcept {
  options_.on_exception(task, std::move(exception));
}

bool BlockingPool::StartThread(TaskHeader* first, std::size_t task_class) {
  {
    const std::lock_guard lock(mutex_);
    ++threads_;
  }
  const absl::Status started =
      Thread::StartDetached(options_.thread_stack_bytes,
                            [this, first, task_class, owner = options_.keep_alive_for_thread()] {
                              SetThreadName(options_.thread_name);
                              std::function<void()> last;
                              options_.around_thread([this, first, task_class, &last] {
                                Ledger::Thread self(task_class);
                                last = RunClosures(self, first);
                              });
                              CountThreadOut();
                              if (last) last();
                            });
  if (!started.ok()) CountThreadOut();
  return started.ok();
}

void BlockingPool::CountThreadOut() {
  const std::lock_guard lock(mutex_);
  --threads_;
  threads_changed_.notify_all();
}

std::function<void()> BlockingPool::RunClosures(Ledger::Thread& self, TaskHeader* first) {
  std::function<void()> last;
  thread_end = &last;
  for (TaskHeader* task = first; task != nullptr; task = ledger_.Next(self, options_.keep_alive)) {
    RunClosure(task);
    if (last) break;
  }
  thread_end = nullptr;
  return last;
}

std::function<void()> BlockingPool::Serve() {
  Ledger::Thread self(kInPlace);
  return RunClosures(self, ledger_.Next(self, options_.keep_alive));
}

void BlockingPool::EndThread(std::function<void()> last) { *thread_end = std::move(last); }

void BlockingPool::Close() { CancelAll(ledger_.Close()); }

bool BlockingPool::AwaitThreads(Deadline deadline) {
  const absl::Duration timeout =
      deadline ? absl::FromChrono(*deadline - std::chrono::steady_clock::now())
               : absl::InfiniteDuration();
  if (!ledger_.AwaitThreads(timeout)) return false;
  std::unique_lock lock(mutex_);
  return WaitUntil(threads_changed_, lock, deadline, [this] { return threads_ == 0; });
}

}  // namespace home::scheduler_internal
