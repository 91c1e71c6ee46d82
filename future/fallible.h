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

}  // namespace home

#endif  // HOME_FUTURE_FALLIBLE_H_
