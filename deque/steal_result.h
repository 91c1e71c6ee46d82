// StealResult: what came of an attempt to steal.
//
// A thief has three cases to tell apart, and the type makes it look at them:
// it got something, there was nothing, or another thread came first and a new
// attempt may succeed. Modelled on crossbeam-deque's Steal.
//
//   switch (auto stolen = victim.Steal(); stolen.status()) {
//     case StealStatus::kSuccess: Run(stolen.value()); break;
//     case StealStatus::kRetry:   try_again = true; break;
//     case StealStatus::kEmpty:   break;
//   }

#ifndef HOME_DEQUE_STEAL_RESULT_H_
#define HOME_DEQUE_STEAL_RESULT_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace home {

enum class StealStatus : std::uint8_t {
  kSuccess,  // At least one element was taken.
  kEmpty,    // The deque was seen empty.
  kRetry,    // Somebody else claimed an element meanwhile: progress, but not ours.
};

template <typename T>
class [[nodiscard]] StealResult {
 public:
  static StealResult Success(T value, std::size_t count = 1) noexcept {
    return StealResult(StealStatus::kSuccess, std::move(value), count);
  }
  static StealResult Empty() noexcept { return StealResult(StealStatus::kEmpty, T{}, 0); }
  static StealResult Retry() noexcept { return StealResult(StealStatus::kRetry, T{}, 0); }

  StealStatus status() const noexcept { return status_; }
  bool ok() const noexcept { return status_ == StealStatus::kSuccess; }
  bool empty() const noexcept { return status_ == StealStatus::kEmpty; }
  bool retry() const noexcept { return status_ == StealStatus::kRetry; }

  // The oldest stolen element. Only if ok(). Of a move-only type: std::move(result).value().
  T value() const& noexcept
    requires std::is_copy_constructible_v<T>
  {
    assert(ok());
    return value_;
  }
  T value() && noexcept {
    assert(ok());
    return std::move(value_);
  }

  // How many elements were taken, the one in value() included; 0 unless ok().
  std::size_t count() const noexcept { return count_; }

 private:
  StealResult(StealStatus status, T value, std::size_t count) noexcept
      : value_(std::move(value)), count_(count), status_(status) {}

  T value_;
  std::size_t count_;
  StealStatus status_;
};

}  // namespace home

#endif  // HOME_DEQUE_STEAL_RESULT_H_
