// Relacy without its macros: the headers of it that we use, and nothing that they define
// for programs which are written for it (`$`, `new`, `errno`, `memory_order_relaxed` and
// so on). Only the other headers of this package include this one.

#ifndef HOME_TOOLS_MODEL_RELACY_H_
#define HOME_TOOLS_MODEL_RELACY_H_

// Relacy defines _XOPEN_SOURCE if nobody has; the standard library's headers have.
#include <cstdlib>

// Not <relacy/relacy.hpp>, which goes on to redefine the language.
#include <relacy/base.hpp>
// Relacy's headers need this order.
#include <relacy/context.hpp>
#include <relacy/context_base_impl.hpp>
//
#include <relacy/atomic.hpp>
#include <relacy/atomic_fence.hpp>
#include <relacy/backoff.hpp>
#include <relacy/dyn_thread.hpp>
#include <relacy/test_suite.hpp>
#include <relacy/thread_local.hpp>
#include <relacy/var.hpp>
//
#include <relacy/stdlib/mutex.hpp>
//
#include <relacy/stdlib/condition_variable.hpp>
#include <relacy/stdlib/event.hpp>
#include <relacy/stdlib/semaphore.hpp>
#undef $

#include <cstdint>
#include <cstring>
#include <memory>
#include <source_location>
#include <type_traits>

namespace home::model::model_internal {

// Where an access stands, for Relacy's trace. The strings live for ever.
inline rl::debug_info Info(const std::source_location& where) {
  const char* const slash = std::strrchr(where.file_name(), '/');
  return rl::debug_info("", slash != nullptr ? slash + 1 : where.file_name(), where.line());
}

// Relacy prints and computes with what it stores: integers stay what they are, anything
// else travels as the bits of it.
template <std::size_t kSize>
using BitsOfSize = std::conditional_t<(kSize <= 4), std::uint32_t, std::uint64_t>;
template <typename U>
using Stored =
    std::conditional_t<std::is_integral_v<U> && !std::is_same_v<U, bool>, U, BitsOfSize<sizeof(U)>>;

template <typename U>
Stored<U> ToStored(const U& value) {
  static_assert(std::is_trivially_copyable_v<U> && sizeof(U) <= sizeof(std::uint64_t));
  Stored<U> bits{};
  std::memcpy(&bits, std::addressof(value), sizeof(U));
  return bits;
}

template <typename U>
U FromStored(Stored<U> bits) {
  U value;
  std::memcpy(static_cast<void*>(std::addressof(value)), &bits, sizeof(U));
  return value;
}

}  // namespace home::model::model_internal

#endif  // HOME_TOOLS_MODEL_RELACY_H_
