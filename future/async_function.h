// AsyncFunction<R(Args...)>: any callable whose result is a future of R, its type
// forgotten: std::function for asynchronous code.
//
//   AsyncFunction<absl::StatusOr<Page>(std::string)> fetch =
//       [client](std::string url) -> Async<absl::StatusOr<Page>> {
//         co_return co_await client->Get(url);
//       };
//   absl::StatusOr<Page> page = co_await fetch("https://...");
//
// A call makes the future at once, as a BoxFuture<R>; nothing runs before that is
// polled. A lambda coroutine uses its captures while it runs, and they live in the
// lambda. So
//   fetch(url)              borrows: `fetch` must outlive the future;
//   std::move(fetch)(url)   gives the callable to the future, which keeps it.
//
// Parameters that are used after the first suspension belong in Args, and in the
// callable's own list, by value: a reference is to the caller's.
//
// Move-only, as what it holds may be. Calling an empty one is a fatal mistake.
// Thread-safety: that of the callable. Cancellation: that of the future.
// Cost: four words. A callable of up to three words, that moves without throwing,
// is kept inline, another one in a block from the recycling cache. A call that
// borrows costs what making the BoxFuture does (nothing for an Async), one that
// gives the callable away a block besides.

#ifndef HOME_FUTURE_ASYNC_FUNCTION_H_
#define HOME_FUTURE_ASYNC_FUNCTION_H_

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/future/box_future.h"
#include "home/future/fatal.h"
#include "home/future/frame_object.h"
#include "home/future/future.h"

namespace home {
namespace internal {

// A callable and the future that it made, which may refer to it.
template <typename Fn, typename Inner>
class OwnedCall {
 public:
  using Output = FutureOutput<Inner>;

  template <typename... Args>
  explicit OwnedCall(Fn&& fn, Args&&... args) : fn_(std::move(fn)) {
    const auto make = [&]() -> Inner { return std::invoke(fn_, std::forward<Args>(args)...); };
    inner_.emplace(Make<decltype(make)>{make});
  }
  OwnedCall(const OwnedCall&) = delete;
  OwnedCall& operator=(const OwnedCall&) = delete;

  home::Poll<Output> Poll(Context& cx) { return inner_->Poll(cx); }

 private:
  template <typename Fun>
  struct Make {
    const Fun& make;
    operator Inner() const { return make(); }  // NOLINT: built in place, unmoved
  };

  Fn fn_;
  std::optional<Inner> inner_;
};

}  // namespace internal

template <typename Signature>
class AsyncFunction;

template <typename R, typename... Args>
class AsyncFunction<R(Args...)> {
  template <typename Fn>
  using MadeBy = std::invoke_result_t<Fn&, Args...>;

 public:
  // Empty: only to be assigned to, or destroyed.
  AsyncFunction() noexcept = default;

  template <typename Fn>
    requires(!std::same_as<std::decay_t<Fn>, AsyncFunction> && Future<MadeBy<std::decay_t<Fn>>> &&
             std::same_as<FutureOutput<MadeBy<std::decay_t<Fn>>>, R>)
  AsyncFunction(Fn&& fn) {  // NOLINT: implicit by design
    using Callable = std::decay_t<Fn>;
    using Place = std::conditional_t<kFits<Callable>, InPlace<Callable>, InBlock<Callable>>;
    Place::Construct(place_, std::forward<Fn>(fn));
    vtable_ = &kTable<Place>;
  }

  AsyncFunction(AsyncFunction&& other) noexcept { Take(other); }
  AsyncFunction& operator=(AsyncFunction&& other) noexcept {
    AsyncFunction old(std::move(*this));
    Take(other);
    return *this;
  }
  ~AsyncFunction() { Reset(); }

  // Whether there is something to call.
  [[nodiscard]] explicit operator bool() const noexcept { return vtable_ != nullptr; }

  // The future of one call, which borrows the callable.
  BoxFuture<R> operator()(Args... args) & {
    CheckNotEmpty();
    return vtable_->call(place_, std::forward<Args>(args)...);
  }
  // The future of the last call, which takes the callable along.
  BoxFuture<R> operator()(Args... args) && {
    CheckNotEmpty();
    AsyncFunction self(std::move(*this));
    return self.vtable_->call_once(self.place_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t kWords = 3;
  union Place {
    Place() noexcept : block(nullptr) {}
    void* block;
    alignas(void*) std::byte bytes[kWords * sizeof(void*)];
  };
  struct VTable {
    BoxFuture<R> (*call)(Place& place, Args&&... args);
    BoxFuture<R> (*call_once)(Place& place, Args&&... args);
    void (*move)(Place& from, Place& to) noexcept;  // and destroys what it moved from
    void (*destroy)(Place& place) noexcept;
  };

  template <typename Fn>
  static constexpr bool kFits = sizeof(Fn) <= sizeof(Place) && alignof(Fn) <= alignof(Place) &&
                                std::is_nothrow_move_constructible_v<Fn>;

  // Where the callable lies.
  template <typename Fn>
  struct InPlace {
    using Callable = Fn;
    static Fn& Get(Place& place) noexcept {
      return *std::launder(reinterpret_cast<Fn*>(place.bytes));
    }
    template <typename Arg>
    static void Construct(Place& place, Arg&& fn) {
      ::new (static_cast<void*>(place.bytes)) Fn(std::forward<Arg>(fn));
    }
    static void Move(Place& from, Place& to) noexcept {
      Construct(to, std::move(Get(from)));
      Destroy(from);
    }
    static void Destroy(Place& place) noexcept { std::destroy_at(std::addressof(Get(place))); }
  };
  template <typename Fn>
  struct InBlock {
    using Callable = Fn;
    static Fn& Get(Place& place) noexcept { return *static_cast<Fn*>(place.block); }
    template <typename Arg>
    static void Construct(Place& place, Arg&& fn) {
      place.block = internal::FrameObject<Fn>::New(std::forward<Arg>(fn));
    }
    static void Move(Place& from, Place& to) noexcept { to.block = from.block; }
    static void Destroy(Place& place) noexcept {
      internal::FrameObject<Fn>::Delete(std::addressof(Get(place)));
    }
  };

  template <typename In>
  static BoxFuture<R> Call(Place& place, Args&&... args) {
    return BoxFuture<R>::From([&]() -> MadeBy<typename In::Callable> {
      return std::invoke(In::Get(place), std::forward<Args>(args)...);
    });
  }
  template <typename In>
  static BoxFuture<R> CallOnce(Place& place, Args&&... args) {
    using Fn = typename In::Callable;
    using Owned = internal::OwnedCall<Fn, MadeBy<Fn>>;
    return BoxFuture<R>::From(
        [&]() -> Owned { return Owned(std::move(In::Get(place)), std::forward<Args>(args)...); });
  }
  template <typename In>
  static constexpr VTable kTable = {&Call<In>, &CallOnce<In>, &In::Move, &In::Destroy};

  void CheckNotEmpty() const {
    if (ABSL_PREDICT_FALSE(vtable_ == nullptr)) {
      Fatal("call of an AsyncFunction that is empty or was moved from");
    }
  }
  // Takes what `other` has; this is empty.
  void Take(AsyncFunction& other) noexcept {
    vtable_ = std::exchange(other.vtable_, nullptr);
    if (vtable_ != nullptr) vtable_->move(other.place_, place_);
  }
  void Reset() noexcept {
    const VTable* const vtable = std::exchange(vtable_, nullptr);
    if (vtable != nullptr) vtable->destroy(place_);
  }

  Place place_;
  const VTable* vtable_ = nullptr;
};

}  // namespace home

#endif  // HOME_FUTURE_ASYNC_FUNCTION_H_
