// Poll<T>: the answer of one poll of a future, a value or "not yet".
//
// A function that polls returns a value for Ready and kPending for Pending:
//
//   home::Poll<int> Poll(Context& cx) {
//     if (!arrived_) return kPending;
//     return value_;
//   }
//
// The readiness flag is a whole word beside the value, never packed with it:
// a packed flag comes back in one register, and reading it costs a failed
// store-to-load forward (5-6 ns with g++ 12).
//
// Thread-safety: a plain value. Cost: none beyond moving T.

#ifndef HOME_FUTURE_POLL_H_
#define HOME_FUTURE_POLL_H_

#include <cassert>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace home {

// The type of kPending; converts to every Poll<T>.
struct PendingTag {
  explicit constexpr PendingTag() = default;
};
// "Not yet": the waker of this poll will be woken when progress is possible.
inline constexpr PendingTag kPending{};

// The type of kReady; converts to Poll<void>.
struct ReadyTag {
  explicit constexpr ReadyTag() = default;
};
// Ready, for futures that have no value.
inline constexpr ReadyTag kReady{};

template <typename T>
class [[nodiscard]] Poll {
 public:
  using value_type = T;

  constexpr Poll(PendingTag) noexcept : ready_(0) {}  // NOLINT: implicit by design
  constexpr Poll(T value) noexcept(std::is_nothrow_move_constructible_v<T>)  // NOLINT
      : ready_(1), value_(std::move(value)) {}

  constexpr Poll(const Poll& other)
    requires std::is_trivially_copy_constructible_v<T>
  = default;
  constexpr Poll(Poll&& other)
    requires std::is_trivially_move_constructible_v<T>
  = default;
  constexpr Poll(Poll&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
    requires(!std::is_trivially_move_constructible_v<T>)
      : ready_(other.ready_) {
    if (ready_ != 0) std::construct_at(std::addressof(value_), std::move(other.value_));
  }
  Poll& operator=(const Poll&) = delete;
  Poll& operator=(Poll&&) = delete;

  constexpr ~Poll()
    requires std::is_trivially_destructible_v<T>
  = default;
  constexpr ~Poll()
    requires(!std::is_trivially_destructible_v<T>)
  {
    if (ready_ != 0) std::destroy_at(std::addressof(value_));
  }

  [[nodiscard]] constexpr bool ready() const noexcept { return ready_ != 0; }
  [[nodiscard]] constexpr bool pending() const noexcept { return ready_ == 0; }

  // The value. Only when ready().
  constexpr T& value() & noexcept {
    assert(ready());
    return value_;
  }
  constexpr T&& value() && noexcept {
    assert(ready());
    return std::move(value_);
  }
  constexpr T& operator*() & noexcept { return value(); }
  constexpr T&& operator*() && noexcept { return std::move(*this).value(); }

 private:
  std::uint64_t ready_;
  union {
    T value_;
  };
};

// A reference is ready as its address.
template <typename T>
class [[nodiscard]] Poll<T&> {
 public:
  using value_type = T&;

  constexpr Poll(PendingTag) noexcept : value_(nullptr) {}  // NOLINT: implicit by design
  constexpr Poll(T& value) noexcept : value_(std::addressof(value)) {}  // NOLINT

  [[nodiscard]] constexpr bool ready() const noexcept { return value_ != nullptr; }
  [[nodiscard]] constexpr bool pending() const noexcept { return value_ == nullptr; }

  // The value. Only when ready().
  constexpr T& value() const noexcept {
    assert(ready());
    return *value_;
  }
  constexpr T& operator*() const noexcept { return value(); }

 private:
  T* value_;
};

template <>
class [[nodiscard]] Poll<void> {
 public:
  using value_type = void;

  constexpr Poll(PendingTag) noexcept : ready_(false) {}  // NOLINT: implicit by design
  constexpr Poll(ReadyTag) noexcept : ready_(true) {}     // NOLINT: implicit by design

  [[nodiscard]] constexpr bool ready() const noexcept { return ready_; }
  [[nodiscard]] constexpr bool pending() const noexcept { return !ready_; }

 private:
  bool ready_;
};

}  // namespace home

#endif  // HOME_FUTURE_POLL_H_
