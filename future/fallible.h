// Fallible<T>: a T, or the absl::Status that says why there is none.
//
// What a future yields that adds a way to fail to one of T: a task may be
// cancelled, a timeout may end it. A T that can hold an error already is not
// wrapped again, so that there is one place to look for what went wrong.
//
//   T                  absl::StatusOr<T>
//   void               absl::Status
//   absl::Status       absl::Status
//   absl::StatusOr<U>  absl::StatusOr<U>

#ifndef HOME_FUTURE_FALLIBLE_H_
#define HOME_FUTURE_FALLIBLE_H_

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace home {
namespace internal {

template <typename T>
struct FallibleOf {
  using type = absl::StatusOr<T>;
};
template <>
struct FallibleOf<void> {
  using type = absl::Status;
};
template <>
struct FallibleOf<absl::Status> {
  using type = absl::Status;
};
template <typename U>
struct FallibleOf<absl::StatusOr<U>> {
  using type = absl::StatusOr<U>;
};

}  // namespace internal

template <typename T>
using Fallible = typename internal::FallibleOf<T>::type;

// A type that says by itself whether it is an error: Status or StatusOr.
template <typename T>
concept FallibleType = std::is_same_v<T, Fallible<T>>;

namespace internal {

// The T of a StatusOr<T>; void for a Status.
template <FallibleType T>
struct SuccessOf {
  using type = typename T::value_type;
};
template <>
struct SuccessOf<absl::Status> {
  using type = void;
};
template <typename T>
using Success = typename SuccessOf<T>::type;

// The status of either, also moved out.
inline const absl::Status& GetStatus(const absl::Status& result) { return result; }
inline absl::Status GetStatus(absl::Status&& result) { return std::move(result); }
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& result) {
  return result.status();
}
template <typename T>
absl::Status GetStatus(absl::StatusOr<T>&& result) {
  return std::move(result).status();
}

}  // namespace internal

}  // namespace home

#endif  // HOME_FUTURE_FALLIBLE_H_
