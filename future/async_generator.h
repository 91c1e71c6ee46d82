// AsyncGenerator<T>: a coroutine that is a stream.
//
//   AsyncGenerator<std::string> Lines(TcpStream& socket) {
//     LineReader reader(socket);
//     bool more = true;
//     while (more) {
//       std::optional<std::string> line = co_await reader.Read();
//       more = line.has_value();
//       if (more) co_yield *std::move(line);
//     }
//   }
//
// Lazy: the body starts at the first PollNext() and then runs from item to
// item: it does nothing between the answer to one Next() and the next one. It
// co_awaits what an Async does (async.h); only Try is not for generators, whose
// items may be a StatusOr instead.
//
// co_yield takes a T as an rvalue, which is moved out to the consumer, or as an
// lvalue, which is copied first. A T may be of a type that only moves. The items
// of an AsyncGenerator<T&> are std::reference_wrapper<T>.
//
// An exception that leaves the body is rethrown to who polls or awaits the item;
// the stream is at its end then. At the end the frame is freed, and every later
// poll answers nullopt again.
//
// Cost: one frame from the recycling cache for the whole stream; an item is one
// resumption. Resuming where the body waits costs the same at any depth of
// coroutines that it awaits; every generator between the leaf and the consumer
// adds one poll. Cancellation: dropping the generator destroys its frame and
// those of the children that it awaits, innermost first. Dropping a Next() loses
// nothing. Thread-safety: one thread at a time.

#ifndef HOME_FUTURE_ASYNC_GENERATOR_H_
#define HOME_FUTURE_ASYNC_GENERATOR_H_

#include <cassert>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/future/awaiters.h"
#include "home/future/chain.h"
#include "home/future/fatal.h"
#include "home/future/frame_storage.h"
#include "home/future/result_slot.h"
#include "home/future/stream.h"

namespace home::inline HOME_ASYNC_ABI {

template <typename T>
class AsyncGenerator;

namespace async_internal {

// What both kinds of generators share. `item_` points to the item that the body
// gave, while it is suspended there.
template <typename T>
class GeneratorPromise : public AwaitingPromise, public frame_internal::RecycledFrame {
  using Object = std::remove_reference_t<T>;

 public:
  AsyncGenerator<T> get_return_object() noexcept {
    return AsyncGenerator<T>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void return_void() noexcept { ended_ = true; }
  void unhandled_exception() noexcept {
    exception_ = std::current_exception();
    ended_ = true;
  }

  // Suspends the body at an item that lives until the body goes on.
  class YieldAwaiter {
   public:
    YieldAwaiter(GeneratorPromise& promise, Object& item) noexcept : promise_(promise) {
      promise.item_ = std::addressof(item);
    }
    bool await_ready() const noexcept { return false; }
    Transfer await_suspend(std::coroutine_handle<>) const noexcept { return promise_.Suspend(); }
    void await_resume() const noexcept {}

   private:
    GeneratorPromise& promise_;
  };
  // The same, with an item of its own.
  class YieldCopyAwaiter {
   public:
    YieldCopyAwaiter(GeneratorPromise& promise, const Object& item)
        : promise_(promise), copy_(item) {}
    YieldCopyAwaiter(const YieldCopyAwaiter&) = delete;
    YieldCopyAwaiter& operator=(const YieldCopyAwaiter&) = delete;
    bool await_ready() const noexcept { return false; }
    Transfer await_suspend(std::coroutine_handle<>) noexcept {
      promise_.item_ = std::addressof(copy_);
      return promise_.Suspend();
    }
    void await_resume() const noexcept {}

   private:
    GeneratorPromise& promise_;
    Object copy_;
  };

  YieldAwaiter yield_value(T&& item) noexcept { return YieldAwaiter(*this, item); }
  YieldCopyAwaiter yield_value(const Object& item)
    requires(std::is_object_v<T> && std::is_copy_constructible_v<T>)
  {
    return YieldCopyAwaiter(*this, item);
  }

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] Object* TakeItem() noexcept { return std::exchange(item_, nullptr); }
  [[nodiscard]] std::exception_ptr TakeException() noexcept { return std::move(exception_); }

 private:
  Object* item_ = nullptr;
  bool ended_ = false;
  std::exception_ptr exception_;
};

}  // namespace async_internal

template <typename T>
class [[nodiscard]] AsyncGenerator {
  static_assert(std::is_object_v<T> || std::is_lvalue_reference_v<T>);

 public:
  using Item = std::conditional_t<std::is_reference_v<T>,
                                  std::reference_wrapper<std::remove_reference_t<T>>, T>;
  using promise_type = async_internal::GeneratorPromise<T>;

  // An empty generator: polling it is a fatal mistake.
  AsyncGenerator() noexcept = default;
  AsyncGenerator(AsyncGenerator&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        ended_(std::exchange(other.ended_, false)) {}
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator old(std::move(*this));
    handle_ = std::exchange(other.handle_, nullptr);
    ended_ = std::exchange(other.ended_, false);
    return *this;
  }
  ~AsyncGenerator() { Reset(); }

  // Runs the body until it gives an item, waits or ends.
  Poll<std::optional<Item>> PollNext(Context& cx) {
    if (ABSL_PREDICT_FALSE(handle_ == nullptr)) {
      if (ended_) return std::optional<Item>();
      Fatal("poll of an AsyncGenerator that is empty (moved from)");
    }
    promise_type& promise = handle_.promise();
    promise.Drive(cx);
    if (auto* item = promise.TakeItem(); item != nullptr) {
      if constexpr (std::is_reference_v<T>) {
        return std::optional<Item>(*item);
      } else {
        return std::optional<Item>(std::move(*item));
      }
    }
    if (!promise.ended()) return kPending;
    std::exception_ptr exception = promise.TakeException();
    Reset();
    ended_ = true;
    if (exception != nullptr) internal::Rethrow(std::move(exception));
    return std::optional<Item>();
  }

 private:
  friend promise_type;

  explicit AsyncGenerator(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {
    assert(handle.promise().handle() == handle);
  }

  void Reset() noexcept {
    if (handle_ == nullptr) return;
    const std::coroutine_handle<promise_type> handle = std::exchange(handle_, nullptr);
    handle.promise().Destroy();
  }

  std::coroutine_handle<promise_type> handle_;
  bool ended_ = false;
};

}  // namespace home::inline HOME_ASYNC_ABI

// Coroutines that bring an allocator: frame_storage.h.
namespace std {
template <typename T, typename Allocator, typename... Args>
struct coroutine_traits<home::AsyncGenerator<T>, allocator_arg_t, Allocator, Args...>
    : home::frame_internal::AllocatorTraits<home::async_internal::GeneratorPromise<T>, Allocator> {
};
template <typename T, typename Object, typename Allocator, typename... Args>
struct coroutine_traits<home::AsyncGenerator<T>, Object, allocator_arg_t, Allocator, Args...>
    : home::frame_internal::AllocatorTraits<home::async_internal::GeneratorPromise<T>, Allocator> {
};
}  // namespace std

#endif  // HOME_FUTURE_ASYNC_GENERATOR_H_
