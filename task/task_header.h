// TaskHeader: the part of a task's cell that does not depend on its future, and
// what the parts of a runtime need to know of it.
//
// A task is one allocation, the cell: this header, then the future, whose place
// the outcome takes. The header is what queues link, wakers point to and
// workers run; the vtable leads to the typed rest (task_cell.h). task_state.h
// says who may touch which field.

#ifndef HOME_TASK_TASK_HEADER_H_
#define HOME_TASK_TASK_HEADER_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <source_location>

#include "home/future/context.h"
#include "home/future/waker.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/task/chaos.h"
#include "home/task/task_id.h"
#include "home/task/task_label.h"
#include "home/task/task_state.h"

namespace home {

class TaskHeader;

// A waker's operations on a task; see waker.h.
namespace internal {
WakerTarget* CloneTaskWaker(WakerTarget* task);
void WakeTask(WakerTarget* task);
void WakeTaskByRef(WakerTarget* task);
void DropTaskWaker(WakerTarget* task);
}  // namespace internal
inline constexpr WakerVTable kTaskWakerVTable = {internal::CloneTaskWaker, internal::WakeTask,
                                                 internal::WakeTaskByRef, internal::DropTaskWaker};

// The typed operations of a cell. Poll, Cancel and DropOutcome belong to
// whoever may touch the future or the outcome.
struct TaskVTable : WakerVTable {
  // Polls the future. True: it is destroyed and the outcome is in its place.
  bool (*poll)(TaskHeader* task, Context& cx);
  // Destroys the future and makes "cancelled" the outcome.
  void (*cancel)(TaskHeader* task) noexcept;
  // Where the value is, if there is one: see TaskCell::Value.
  void* (*value)(TaskHeader* task) noexcept;
  // Gives up the exception that is the outcome, or null.
  std::exception_ptr (*exception)(TaskHeader* task) noexcept;
  // Destroys the value or the exception, whichever is there still.
  void (*drop_outcome)(TaskHeader* task) noexcept;
  // Frees the cell with whatever it still holds.
  void (*destroy)(TaskHeader* task) noexcept;
  // The task has a name, in the word in front of its cell.
  bool named;
};

// Where a task goes when it is woken: a runtime's scheduler, a blocking pool.
class TaskScheduler {
 public:
  // Puts a task that was just notified into a queue. From any thread; may not
  // throw. The scheduler outlives every task of its that is not complete.
  virtual void Schedule(TaskHeader* task) noexcept = 0;
  // The same for a task that was just made.
  virtual void Submit(TaskHeader* task) noexcept { Schedule(task); }
  // The same for a forked child (fork.h), whose parent may want it back soon.
  virtual void SubmitForked(TaskHeader* task) noexcept { Submit(task); }
  // Takes a forked child out of its queue again, if that is cheap: it is the newest that
  // the calling thread has. It counts as complete then.
  [[nodiscard]] virtual bool TakeBack(TaskHeader* task) noexcept {
    static_cast<void>(task);
    return false;
  }
  // An exception ended a task that nobody joins.
  virtual void OnUnjoinedException(const TaskHeader& task,
                                   std::exception_ptr exception) noexcept = 0;

 protected:
  ~TaskScheduler() = default;
};

// How a task ended, or that it has not; with that what is in the future's place.
enum class TaskOutcome : std::uint8_t {
  kNone,          // the future
  kValue,         // the value, taken or not
  kDroppedValue,  // nothing: there was a value
  kException,     // the exception, taken or not
  kCancelled,     // nothing
};

// What TaskHeader::owner says of a task that is in no worker's list.
inline constexpr std::uint16_t kNoOwner = UINT16_MAX;

// What wakers point to; its table is a TaskVTable.
// `next` of LockFreeMpscNode is the link of whatever queue the task is in. The fields are
// at fixed offsets, for debuggers and tools: task_header.cc states them.
class TaskHeader : public WakerTarget, public LockFreeMpscNode {
 public:
  TaskHeader(const TaskVTable* vt, TaskScheduler* sched, TaskId task_id,
             const TaskLabel& label) noexcept
      : WakerTarget(vt), scheduler(sched), id(task_id), location(label.location()) {}
  TaskHeader(const TaskHeader&) = delete;
  TaskHeader& operator=(const TaskHeader&) = delete;

  [[nodiscard]] const TaskVTable* vtable() const noexcept {
    return static_cast<const TaskVTable*>(waker_vtable());
  }
  // What the spawner calls it, or null. Those without a name, most of them, have no place for one.
  [[nodiscard]] const char* name() const noexcept {
    return vtable()->named ? reinterpret_cast<const char* const*>(this)[-1] : nullptr;
  }

  TaskState state;
  TaskScheduler* const scheduler;
  // The list of the worker that polled the task first; see owner.
  TaskHeader* list_previous = nullptr;
  TaskHeader* list_next = nullptr;
  WakerSlot join_waker;
  const TaskId id;
  // Where the task was spawned.
  const std::source_location location;
  // What the task waited for when it was last suspended (context.h), or null. Any
  // thread may read it; it says nothing of a task that runs or is complete.
  std::atomic<const char*> wait_reason{nullptr};
  // The worker in whose list the task is. Written by the worker that runs it,
  // before it first becomes idle, and never again.
  std::uint16_t owner = kNoOwner;
  // Written before kComplete is, and by whoever the outcome belongs to.
  internal::Atomic<TaskOutcome> outcome{TaskOutcome::kNone};
  // In a queue, though it counts as running: it gave way to others (RunTask). Written by who puts
  // it there and by who takes it out, and ordered by the queue; others may look (relaxed).
  internal::Atomic<bool> gave_way{false};
  // For a scheduler that measures: when the task went into a queue, in a unit of its
  // own. Written by whoever puts it there, read by whoever takes it out.
  std::uint32_t queued_at = 0;

 protected:
  ~TaskHeader() = default;
};

namespace internal {

// The task that this thread polls, as long as a waker may be cloned that is counted when the poll
// ends (task_state.h): null once one was.
extern constinit thread_local TaskHeader* waker_lender;

}  // namespace internal

// Writes to standard error which task ended with `exception`, and where it was
// spawned. An exception that nobody joins is a bug, so it is shown, but it need
// not end the other tasks.
void LogUnjoinedException(const TaskHeader& task, std::exception_ptr exception);

// Takes a reference to `task` and makes a waker of it.
[[nodiscard]] Waker MakeTaskWaker(TaskHeader* task);

// Gives up a reference; frees the cell if it was the last.
void ReleaseTask(TaskHeader* task) noexcept;

// Asks for the task's cancellation; it happens at its next await point that
// yields, or at once if it is idle, on a worker.
void AbortTask(TaskHeader* task) noexcept;

}  // namespace home

#endif  // HOME_TASK_TASK_HEADER_H_
