// ResultSlot<T>: where a coroutine or a leaf puts its outcome, a value or the
// exception that ended it, until whoever waits takes it.
//
// Thread-safety: none; the owner orders writer and reader.

#ifndef HOME_FUTURE_RESULT_SLOT_H_
#define HOME_FUTURE_RESULT_SLOT_H_

#include <cassert>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

// try and catch (...), in code that is compiled without exceptions too.
#if defined(__cpp_exceptions)
#define HOME_FUTURE_TRY try
#define HOME_FUTURE_CATCH_ALL catch (...)
#else
#define HOME_FUTURE_TRY if (true)
#define HOME_FUTURE_CATCH_ALL else
#endif

namespace home::internal {

[[noreturn]] inline void Rethrow(std::exception_ptr exception) {
#if defined(__cpp_exceptions)
  std::rethrow_exception(std::move(exception));
#else
  static_cast<void>(exception);
  std::terminate();
#endif
}

// Inside a handler: throws on what it has caught.
[[noreturn]] inline void RethrowCurrent() {
#if defined(__cpp_exceptions)
  throw;
#else
  std::terminate();
#endif
}

// Stands for a value of type void.
struct Unit {};

template <typename T>
class ResultSlot {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, Unit, T>;

  ResultSlot() noexcept {}  // NOLINT: the union starts empty
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;
  ~ResultSlot() { Clear(); }

  template <typename... Args>
  void Emplace(Args&&... args) {
    assert(state_ == State::kEmpty);
    std::construct_at(std::addressof(value_), std::forward<Args>(args)...);
    state_ = State::kValue;
  }
  void SetException(std::exception_ptr exception) noexcept {
    // A value whose moving out threw may be there still.
    Clear();
    std::construct_at(std::addressof(exception_), std::move(exception));
    state_ = State::kException;
  }

  [[nodiscard]] bool empty() const noexcept { return state_ == State::kEmpty; }
  [[nodiscard]] bool has_value() const noexcept { return state_ == State::kValue; }
  [[nodiscard]] bool has_exception() const noexcept { return state_ == State::kException; }

  // Only when has_value().
  [[nodiscard]] Value& value() noexcept { return value_; }

  // Moves the value out, or rethrows. Only when not empty. The slot keeps the
  // moved-from value until it is destroyed.
  T Take() {
    assert(state_ != State::kEmpty);
    if (state_ == State::kException) Rethrow(std::move(exception_));
    if constexpr (!std::is_void_v<T>) return std::move(value_);
  }
  [[nodiscard]] std::exception_ptr TakeException() noexcept { return std::move(exception_); }

  void Clear() noexcept {
    if (state_ == State::kValue) std::destroy_at(std::addressof(value_));
    if (state_ == State::kException) std::destroy_at(std::addressof(exception_));
    state_ = State::kEmpty;
  }

 private:
  enum class State : std::uint8_t { kEmpty, kValue, kException };

  union {
    [[no_unique_address]] Value value_;
    std::exception_ptr exception_;
  };
  State state_ = State::kEmpty;
};

// A reference is kept as its address.
template <typename T>
class ResultSlot<T&> {
 public:
  using Value = T*;

  void Emplace(T& value) { slot_.Emplace(std::addressof(value)); }
  void SetException(std::exception_ptr exception) noexcept {
    slot_.SetException(std::move(exception));
  }

  [[nodiscard]] bool empty() const noexcept { return slot_.empty(); }
  [[nodiscard]] bool has_value() const noexcept { return slot_.has_value(); }
  [[nodiscard]] bool has_exception() const noexcept { return slot_.has_exception(); }

  T& Take() { return *slot_.Take(); }
  [[nodiscard]] std::exception_ptr TakeException() noexcept { return slot_.TakeException(); }
  void Clear() noexcept { slot_.Clear(); }

 private:
  ResultSlot<T*> slot_;
};

}  // namespace home::internal

#endif  // HOME_FUTURE_RESULT_SLOT_H_
