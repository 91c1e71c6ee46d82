// TaskCell<F>: a task's one allocation, with the future or its outcome in it.

#ifndef HOME_TASK_TASK_CELL_H_
#define HOME_TASK_TASK_CELL_H_

#include <atomic>
#include <cassert>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "home/future/async.h"
#include "home/future/frame_allocator.h"
#include "home/future/future.h"
#include "home/future/result_slot.h"
#include "home/future/type_name.h"
#include "home/task/task_header.h"

namespace home {

// What a cell carries beside the future if nobody asks for more.
struct NoTaskExtra {};

// `Extra` is for who spawns: it lives as long as the cell does.
template <Future F, typename Extra = NoTaskExtra>
class TaskCell final : public TaskHeader {
  using T = FutureOutput<F>;
  using Result = internal::ResultSlot<T>;

 public:
  // A task in the state that BasicTaskState() describes.
  static TaskHeader* New(F&& future, TaskScheduler* scheduler, TaskId id, const TaskLabel& label) {
    void* storage = nullptr;
    if constexpr (kOverAligned) {
      storage = ::operator new(sizeof(TaskCell), std::align_val_t(alignof(TaskCell)));
    } else {
      storage = AllocateFrame(sizeof(TaskCell));
    }
    HOME_FUTURE_TRY { return ::new (storage) TaskCell(std::move(future), scheduler, id, label); }
    HOME_FUTURE_CATCH_ALL {
      // The future's move threw.
      FreeStorage(storage);
      internal::RethrowCurrent();
    }
  }

  // Frees a task that New made and that nobody else knows any more.
  static void Discard(TaskHeader* task) noexcept {
    Cancel(task);
    Destroy(task);
  }

  // The future of a task that New made; only while it is there.
  static F& FutureOf(TaskHeader* task) noexcept { return Self(task)->future_; }
  static Extra& ExtraOf(TaskHeader* task) noexcept { return Self(task)->extra_; }

 private:
  static constexpr bool kOverAligned = alignof(F) > __STDCPP_DEFAULT_NEW_ALIGNMENT__ ||
                                       alignof(Result) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;

  TaskCell(F&& future, TaskScheduler* sched, TaskId task_id, const TaskLabel& label)
      : TaskHeader(&kVTable, sched, task_id, label), future_(std::move(future)) {}
  ~TaskCell() {
    // relaxed: whoever frees the cell comes after all others. The runtime holds
    // a reference as long as there is a future, so it is the outcome.
    assert(outcome.load(std::memory_order_relaxed) != TaskOutcome::kNone);
    std::destroy_at(std::addressof(result_));
  }

  static TaskCell* Self(TaskHeader* task) { return static_cast<TaskCell*>(task); }

  static bool PollFuture(TaskHeader* task, Context& cx) {
    TaskCell* self = Self(task);
    HOME_FUTURE_TRY {
      home::Poll<T> polled = PollAlone(self->future_, cx);
      if (polled.pending()) {
        cx.NoteWait(internal::kTypeName<F>);
        return false;
      }
      // The future's locals die before anybody is told of the outcome.
      self->ReplaceFuture(TaskOutcome::kValue);
      if constexpr (std::is_void_v<T>) {
        self->result_.Emplace();
      } else {
        self->result_.Emplace(std::move(polled).value());
      }
    }
    HOME_FUTURE_CATCH_ALL {
      self->ReplaceFuture(TaskOutcome::kException);
      self->result_.SetException(std::current_exception());
    }
    return true;
  }

  static void Cancel(TaskHeader* task) noexcept {
    Self(task)->ReplaceFuture(TaskOutcome::kCancelled);
  }

  static void* Outcome(TaskHeader* task) noexcept { return &Self(task)->result_; }

  static void DropOutcome(TaskHeader* task) noexcept { Self(task)->result_.Clear(); }

  static std::exception_ptr Exception(TaskHeader* task) noexcept {
    Result& result = Self(task)->result_;
    return result.has_exception() ? result.TakeException() : nullptr;
  }

  static void Destroy(TaskHeader* task) noexcept {
    TaskCell* self = Self(task);
    self->~TaskCell();
    FreeStorage(self);
  }

  static void FreeStorage(void* storage) noexcept {
    if constexpr (kOverAligned) {
      ::operator delete(storage, std::align_val_t(alignof(TaskCell)));
    } else {
      FreeFrame(storage, sizeof(TaskCell));
    }
  }

  // Puts an empty result in the place of the future, if that has not been done.
  void ReplaceFuture(TaskOutcome how) noexcept {
    // relaxed: only the one who runs the task is here; the outcome is published
    // by TransitionToComplete().
    const bool first = outcome.load(std::memory_order_relaxed) == TaskOutcome::kNone;
    outcome.store(how, std::memory_order_relaxed);
    if (!first) return;
    std::destroy_at(std::addressof(future_));
    std::construct_at(std::addressof(result_));
  }

  static constexpr TaskVTable kVTable = {kTaskWakerVTable, PollFuture, Cancel, Outcome,
                                         DropOutcome,      Exception,  Destroy};

  [[no_unique_address]] Extra extra_;
  union {
    F future_;
    Result result_;
  };
};

}  // namespace home

#endif  // HOME_TASK_TASK_CELL_H_
