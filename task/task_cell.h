// TaskCell<F>: a task's one allocation, with the future or its outcome in it.

#ifndef HOME_TASK_TASK_CELL_H_
#define HOME_TASK_TASK_CELL_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
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

 public:
  // What the future's output is kept as. A reference is kept as its address.
  using Value = typename internal::ResultSlot<T>::Value;

  // A task in the state that BasicTaskState() describes.
  static TaskHeader* New(F&& future, TaskScheduler* scheduler, TaskId id, const TaskLabel& label) {
    const bool named = label.name() != nullptr;
    const std::size_t front = named ? NameBytes() : 0;
    auto* const block = static_cast<std::byte*>(AllocateBlock(front + sizeof(TaskCell)));
    std::byte* const cell = block + front;
    if (named) ::new (cell - sizeof(const char*)) const char*(label.name());
    HOME_FUTURE_TRY {
      return ::new (cell) TaskCell(std::move(future), named ? &kVTable<true> : &kVTable<false>,
                                   scheduler, id, label);
    }
    HOME_FUTURE_CATCH_ALL {
      // The future's move threw.
      FreeBlock(block, front + sizeof(TaskCell));
      internal::RethrowCurrent();
    }
  }

  // Frees a task that New made and that nobody else knows any more.
  static void Discard(TaskHeader* task) noexcept {
    Cancel(task);
    task->vtable()->destroy(task);
  }

  // The future of a task that New made; only while it is there.
  static F& FutureOf(TaskHeader* task) noexcept { return Self(task)->future_; }
  static Extra& ExtraOf(TaskHeader* task) noexcept { return Self(task)->extra_; }

 private:
  static constexpr bool kOverAligned = alignof(F) > __STDCPP_DEFAULT_NEW_ALIGNMENT__ ||
                                       alignof(Value) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;

  // What a name takes in front of a cell.
  static constexpr std::size_t NameBytes() {
    return std::max<std::size_t>(alignof(TaskCell), __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  }
  static void* AllocateBlock(std::size_t bytes) {
    if constexpr (kOverAligned) {
      return ::operator new(bytes, std::align_val_t(alignof(TaskCell)));
    } else {
      return AllocateFrame(bytes);
    }
  }
  static void FreeBlock(void* block, std::size_t bytes) noexcept {
    if constexpr (kOverAligned) {
      ::operator delete(block, std::align_val_t(alignof(TaskCell)));
    } else {
      FreeFrame(block, bytes);
    }
  }

  TaskCell(F&& future, const TaskVTable* vt, TaskScheduler* sched, TaskId task_id,
           const TaskLabel& label)
      : TaskHeader(vt, sched, task_id, label), future_(std::move(future)) {}
  ~TaskCell() {
    // relaxed: whoever frees the cell comes after all others. The runtime holds
    // a reference as long as there is a future.
    assert(outcome.load(std::memory_order_relaxed) != TaskOutcome::kNone);
    DropOutcome(this);
  }

  static TaskCell* Self(TaskHeader* task) { return static_cast<TaskCell*>(task); }

  static bool PollFuture(TaskHeader* task, Context& cx) {
    TaskCell* self = Self(task);
    bool ended = false;
    HOME_FUTURE_TRY {
      home::Poll<T> polled = PollAlone(self->future_, cx);
      if (polled.pending()) {
        cx.NoteWait(internal::kTypeName<F>);
        return false;
      }
      // The future's locals die before anybody is told of the outcome.
      ended = true;
      self->DestroyFuture();
      if constexpr (std::is_reference_v<T>) {
        std::construct_at(std::addressof(self->value_), std::addressof(std::move(polled).value()));
      } else if constexpr (!std::is_void_v<T>) {
        std::construct_at(std::addressof(self->value_), std::move(polled).value());
      }
      self->SetOutcome(TaskOutcome::kValue);
    }
    HOME_FUTURE_CATCH_ALL {
      // Of the poll, or of the value's move.
      if (!ended) self->DestroyFuture();
      std::construct_at(std::addressof(self->exception_), std::current_exception());
      self->SetOutcome(TaskOutcome::kException);
    }
    return true;
  }

  static void Cancel(TaskHeader* task) noexcept {
    Self(task)->DestroyFuture();
    Self(task)->SetOutcome(TaskOutcome::kCancelled);
  }

  static void* ValueOf(TaskHeader* task) noexcept {
    // The output may be const.
    return const_cast<std::remove_const_t<Value>*>(std::addressof(Self(task)->value_));
  }

  static std::exception_ptr Exception(TaskHeader* task) noexcept {
    // relaxed, here and below: the outcome is the caller's.
    if (task->outcome.load(std::memory_order_relaxed) != TaskOutcome::kException) return nullptr;
    return std::move(Self(task)->exception_);
  }

  static void DropOutcome(TaskHeader* task) noexcept {
    const TaskOutcome how = task->outcome.load(std::memory_order_relaxed);
    if (how == TaskOutcome::kException) {
      Self(task)->exception_ = nullptr;  // which needs no end
    } else if constexpr (!std::is_trivially_destructible_v<Value>) {
      if (how != TaskOutcome::kValue) return;
      Self(task)->SetOutcome(TaskOutcome::kDroppedValue);
      std::destroy_at(std::addressof(Self(task)->value_));
    }
  }

  template <bool kNamed>
  static void Destroy(TaskHeader* task) noexcept {
    TaskCell* self = Self(task);
    self->~TaskCell();
    constexpr std::size_t kFront = kNamed ? NameBytes() : 0;
    FreeBlock(reinterpret_cast<std::byte*>(self) - kFront, kFront + sizeof(TaskCell));
  }

  // No destructor may throw past here: there would be neither future nor outcome.
  void DestroyFuture() noexcept { std::destroy_at(std::addressof(future_)); }
  void SetOutcome(TaskOutcome how) noexcept {
    // relaxed: only the one who runs the task is here, or whose the outcome is; it is published
    // by TransitionToComplete().
    outcome.store(how, std::memory_order_relaxed);
  }

  template <bool kNamed>
  static constexpr TaskVTable kVTable = {kTaskWakerVTable, PollFuture,  Cancel,          ValueOf,
                                         Exception,        DropOutcome, Destroy<kNamed>, kNamed};

  [[no_unique_address]] Extra extra_;
  union {
    F future_;
    [[no_unique_address]] Value value_;
    std::exception_ptr exception_;
  };
};

}  // namespace home

#endif  // HOME_TASK_TASK_CELL_H_
