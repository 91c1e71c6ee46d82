// BoxFuture<T>: a future of T whose type is forgotten.
//
//   BoxFuture<int> Load(bool cached) {
//     if (cached) return Ready(1);
//     return Fetch() | Map(Parse);
//   }
//
// Any future of T converts to it; `f | Boxed()` says it at the end of a pipe. It
// is what virtual functions return, and what makes futures of different types one
// type, for a vector or a set:
//
//   class Store {
//    public:
//     virtual ~Store() = default;
//     virtual BoxFuture<absl::StatusOr<Value>> Get(Key key) = 0;
//   };
//   class RemoteStore : public Store {
//     BoxFuture<absl::StatusOr<Value>> Get(Key key) override { return DoGet(key); }
//     Async<absl::StatusOr<Value>> DoGet(Key key);     // a coroutine
//   };
//
// A virtual function may return Async<T> itself, if all that implement it are
// coroutines; BoxFuture also lets one return Ready(value), and costs a coroutine
// nothing more than the indirect call. The future borrows the object: the object
// has to outlive it.
//
// Movable at any time, also after the first poll. Polling an empty one, or after
// Ready, is a fatal mistake in every build.
// Thread-safety, memory ordering, cancellation: those of the future inside, which
// is destroyed before Ready is returned.
// Cost: two words. An Async, which is one word and may always move, is kept inline;
// any other future in a block from the recycling cache, because it must not move
// once it was polled. One indirect call a poll.

#ifndef HOME_FUTURE_BOX_FUTURE_H_
#define HOME_FUTURE_BOX_FUTURE_H_

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/future/async.h"
#include "home/future/fatal.h"
#include "home/future/frame_object.h"
#include "home/future/future.h"
#include "home/future/pipe.h"

namespace home {
template <typename T = void>
class BoxFuture;

namespace internal {

template <typename T>
inline constexpr bool kIsBoxFuture = false;
template <typename T>
inline constexpr bool kIsBoxFuture<BoxFuture<T>> = true;

}  // namespace internal

template <typename T>
class [[nodiscard]] BoxFuture {
 public:
  using Output = T;

  // Empty: only to be assigned to, or destroyed.
  constexpr BoxFuture() noexcept = default;
  // Takes `future` over.
  template <Future F>
    requires(std::same_as<FutureOutput<F>, T> && !internal::kIsBoxFuture<F>)
  BoxFuture(F future)  // NOLINT: implicit by design
      : BoxFuture(From([&future]() -> F { return std::move(future); })) {}

  // Of the future that make() returns, which is built in place, unmoved.
  template <typename Make>
    requires Future<std::invoke_result_t<Make>>
  [[nodiscard]] static BoxFuture From(Make&& make) {
    using F = std::invoke_result_t<Make>;
    BoxFuture box;
    if constexpr (std::same_as<F, Async<T>>) {
      std::construct_at(&box.slot_.async, std::forward<Make>(make)());
      box.vtable_ = &Inline::kVTable;
    } else {
      box.slot_.block = internal::FrameObject<F>::NewFrom(std::forward<Make>(make));
      box.vtable_ = &Boxed<F>::kVTable;
    }
    return box;
  }

  BoxFuture(BoxFuture&& other) noexcept { Take(other); }
  BoxFuture& operator=(BoxFuture&& other) noexcept {
    BoxFuture old(std::move(*this));
    Take(other);
    return *this;
  }
  ~BoxFuture() { Reset(); }

  // Whether there is a future that has not finished.
  [[nodiscard]] explicit operator bool() const noexcept { return vtable_ != nullptr; }

  home::Poll<T> Poll(Context& cx) {
    if (ABSL_PREDICT_FALSE(vtable_ == nullptr)) {
      Fatal("poll of a BoxFuture that is empty or finished");
    }
    home::Poll<T> polled = vtable_->poll(slot_, cx);
    if (polled.ready()) Reset();
    return polled;
  }

 private:
  // Which one it is, the table says.
  union Slot {
    constexpr Slot() noexcept : block(nullptr) {}
    ~Slot() {}  // NOLINT: the table knows how
    void* block;
    Async<T> async;
  };
  struct VTable {
    home::Poll<T> (*poll)(Slot& slot, Context& cx);
    void (*destroy)(Slot& slot) noexcept;
  };

  template <typename F>
  struct Boxed {
    static home::Poll<T> Poll(Slot& slot, Context& cx) {
      return static_cast<F*>(slot.block)->Poll(cx);
    }
    static void Destroy(Slot& slot) noexcept {
      internal::FrameObject<F>::Delete(static_cast<F*>(slot.block));
    }
    static constexpr VTable kVTable = {&Poll, &Destroy};
  };
  struct Inline {
    static home::Poll<T> Poll(Slot& slot, Context& cx) { return slot.async.Poll(cx); }
    static void Destroy(Slot& slot) noexcept { std::destroy_at(&slot.async); }
    static constexpr VTable kVTable = {&Poll, &Destroy};
  };

  // Takes what `other` has; this is empty.
  void Take(BoxFuture& other) noexcept {
    vtable_ = std::exchange(other.vtable_, nullptr);
    if (vtable_ == &Inline::kVTable) {
      std::construct_at(&slot_.async, std::move(other.slot_.async));
      std::destroy_at(&other.slot_.async);
    } else {
      slot_.block = other.slot_.block;
    }
  }
  void Reset() noexcept {
    const VTable* const vtable = std::exchange(vtable_, nullptr);
    if (vtable != nullptr) vtable->destroy(slot_);
  }

  Slot slot_;
  const VTable* vtable_ = nullptr;
};

// A stage of a pipe, and a function: the future as a BoxFuture.
template <Future F>
BoxFuture<FutureOutput<F>> Boxed(F future) {
  return BoxFuture<FutureOutput<F>>(std::move(future));
}
inline auto Boxed() {
  return Pipe([](auto&& future) { return Boxed(std::forward<decltype(future)>(future)); });
}

}  // namespace home

#endif  // HOME_FUTURE_BOX_FUTURE_H_
