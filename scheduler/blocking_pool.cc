#include "home/scheduler/blocking_pool.h"

#include <chrono>
#include <cstddef>
#include <exception>
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

void CancelAll(TaskHeader* closures) {
  while (closures != nullptr) {
    TaskHeader* const closure = closures;
    closures = static_cast<TaskHeader*>(closure->next);
    CancelClosure(closure);
  }
}

}  // namespace

BlockingPool::BlockingPool(BlockingPoolOptions options)
    : options_(std::move(options)), ledger_(options_.limits) {}

void BlockingPool::Run(TaskHeader* task, BlockingClass blocking_class) noexcept {
  const auto task_class = static_cast<std::size_t>(blocking_class);
  const Ledger::Admitted admitted = ledger_.Admit(task, task_class);
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
  absl::StatusOr<Thread> thread =
      Thread::Start(options_.thread_stack_bytes,
                    [this, first, task_class, owner = options_.keep_alive_for_thread()] {
                      SetThreadName(options_.thread_name);
                      options_.around_thread([this, first, task_class] {
                        Ledger::Thread self(task_class);
                        TaskHeader* task = first;
                        do {
                          RunClosure(task);
                          task = ledger_.Next(self, options_.keep_alive);
                        } while (task != nullptr);
                      });
                    });
  if (!thread.ok()) return false;
  thread->Detach();
  return true;
}

void BlockingPool::Close() { CancelAll(ledger_.Close()); }

bool BlockingPool::AwaitThreads(Deadline deadline) {
  if (!deadline) return ledger_.AwaitThreads(absl::InfiniteDuration());
  return ledger_.AwaitThreads(absl::FromChrono(*deadline - std::chrono::steady_clock::now()));
}

}  // namespace home::scheduler_internal
