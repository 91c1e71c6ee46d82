// LocalTasks: the tasks that are pinned to one thread, see spawn_local.h.
//
// Each thread that runs tasks has one: a worker for as long as its thread runs, who stands in
// for workers for as long as it has such tasks, and a BlockOn for itself. It is the TaskScheduler
// of its tasks: a wake on the thread appends the task to a plain queue; a wake from another thread
// goes to the inbox (local_inbox.h), and wakes the thread if the inbox was empty. Nobody steals
// from either, and the tasks are in no worker's list but in one of their own.
//
// The end (Close) comes on the thread, too: all tasks are cancelled there, so that no
// future is ever touched by another thread. A task that is marked notified but in no
// queue is on its way to the inbox, on a thread that is in the middle of a wake; it is
// waited for. When all tasks have ended no further wake finds its way here, and what is
// left to wait for are the threads that are still inside of Schedule().
//
// Thread-safety: Schedule from any thread; all else is the owner's.

#ifndef HOME_SCHEDULER_LOCAL_TASKS_H_
#define HOME_SCHEDULER_LOCAL_TASKS_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>

#include "home/future/context.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/scheduler/local_inbox.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

class Scheduler;

class LocalTasks final : public TaskScheduler {
 public:
  // Becomes the current one of this thread, until its end. `wake` ends the sleep of this
  // thread, or its next one; it is called on other threads.
  LocalTasks(Scheduler& scheduler, std::function<void()> wake);
  LocalTasks(const LocalTasks&) = delete;
  LocalTasks& operator=(const LocalTasks&) = delete;
  // Close().
  ~LocalTasks();

  // That of this thread, or null.
  [[nodiscard]] static LocalTasks* Current() noexcept;
  // The same; dies with a message that names `user` if there is none.
  [[nodiscard]] static LocalTasks& CurrentOrDie(const char* user) noexcept;

  void Schedule(TaskHeader* task) noexcept override;
  void Submit(TaskHeader* task) noexcept override;
  void OnUnjoinedException(const TaskHeader& task, std::exception_ptr exception) noexcept override;

  // Whether there are tasks at all.
  [[nodiscard]] bool any() const { return alive_ != 0; }
  // Whether one is ready to run.
  [[nodiscard]] bool ready() const { return first_ != nullptr || !inbox_.empty(); }
  // Polls the task that has been ready for longest, on a thread that is no worker. False:
  // none is.
  bool RunOne();
  // The same for a worker, which counts, and then puts the task back by Schedule(), or
  // says that it has ended: that task, or null.
  [[nodiscard]] TaskHeader* Take();
  void Forget() { --alive_; }
  // Cancels all tasks, and from then on each new one.
  void Close();

  // -- As the owner of run_task.h ---------------------------------------------------

  void Bind(TaskHeader* task);
  bool Unbind(TaskHeader* task);
  void ReleaseLater(TaskHeader* task);

 private:
  // Appends to the queue.
  void Push(TaskHeader* task);
  // The task is in no queue.
  void Cancel(TaskHeader* task);
  void CountEnd();

  Scheduler& scheduler_;
  const std::function<void()> wake_;
  LocalTasks* const previous_;
  std::size_t alive_ = 0;
  bool closed_ = false;
  // The queue, linked by `next`.
  LockFreeMpscNode* first_ = nullptr;
  LockFreeMpscNode* last_ = nullptr;
  // Those that have waited once, linked as a worker's.
  TaskHeader* bound_ = nullptr;
  LocalInbox<TaskHeader> inbox_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_LOCAL_TASKS_H_
