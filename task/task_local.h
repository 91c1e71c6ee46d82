// TaskLocal<T>: a value that follows a task, wherever it is polled.
//
//   constinit TaskLocal<RequestId> request_id;
//   ...
//   Spawn(request_id.Scope(RequestId(7), Serve(socket)));
//   ...
//   if (const RequestId* id = request_id.Get()) Log(*id, "...");
//
// Scope(value, future) is a future that gives `future` the value: it is there
// while that is polled and while it is destroyed, in it and in all that it calls
// and awaits. Scopes nest; the innermost value of a variable counts. Tasks that
// are spawned inside of a scope don't inherit it: give them a scope of their own.
//
// This is Tokio's task_local!, of which it differs in that Get() outside of a
// scope is null and no mistake.
//
// Thread-safety: that of the future. Cost: nothing for tasks without; a scope adds
// some ns to each poll, Get() walks the scopes around it.

#ifndef HOME_TASK_TASK_LOCAL_H_
#define HOME_TASK_TASK_LOCAL_H_

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/task/spawnable.h"

namespace home {
namespace internal {

// A value that this thread's current poll sees: pushed for the time of a poll or
// of a destruction, on the stack.
class TaskLocalFrame {
 public:
  TaskLocalFrame(const void* variable, void* value) noexcept;
  TaskLocalFrame(const TaskLocalFrame&) = delete;
  TaskLocalFrame& operator=(const TaskLocalFrame&) = delete;
  ~TaskLocalFrame();

  // The innermost value of `variable`, or null.
  [[nodiscard]] static void* Find(const void* variable) noexcept;

 private:
  const void* const variable_;
  void* const value_;
  TaskLocalFrame* const previous_;
};

}  // namespace internal

// What TaskLocal::Scope returns. Movable before the first poll. Cancellation: the
// future goes first, while the value is there; then the value.
template <typename T, Future F>
class [[nodiscard]] TaskLocalScope {
 public:
  using Output = FutureOutput<F>;

  TaskLocalScope(const void* variable, T value, F future)
      : variable_(variable), value_(std::move(value)), future_(std::move(future)) {}
  TaskLocalScope(TaskLocalScope&&) = default;
  TaskLocalScope& operator=(TaskLocalScope&&) = delete;
  ~TaskLocalScope() {
    const internal::TaskLocalFrame frame(variable_, std::addressof(value_));
    future_.reset();
  }

  home::Poll<Output> Poll(Context& cx) {
    const internal::TaskLocalFrame frame(variable_, std::addressof(value_));
    return future_->Poll(cx);
  }

 private:
  const void* variable_;
  T value_;
  std::optional<F> future_;
};

// One variable; its address names it, so it is usually a global.
template <typename T>
class TaskLocal {
  static_assert(!std::is_reference_v<T>);

 public:
  constexpr TaskLocal() noexcept = default;
  TaskLocal(const TaskLocal&) = delete;
  TaskLocal& operator=(const TaskLocal&) = delete;

  // A future that runs `spawnable`, a future or a callable that returns one, with
  // `value` in this variable. The variable must outlive it.
  template <Spawnable F>
  [[nodiscard]] auto Scope(T value, F&& spawnable) const {
    using Inner = decltype(ToFuture(std::forward<F>(spawnable)));
    return TaskLocalScope<T, Inner>(this, std::move(value), ToFuture(std::forward<F>(spawnable)));
  }

  // The value of the innermost scope that this thread polls, or null. Good until
  // the scope's poll returns: don't keep it across an await.
  [[nodiscard]] T* Get() const noexcept {
    return static_cast<T*>(internal::TaskLocalFrame::Find(this));
  }

 private:
  // So that no two variables have one address.
  [[maybe_unused]] char identity_ = 0;
};

}  // namespace home

#endif  // HOME_TASK_TASK_LOCAL_H_
