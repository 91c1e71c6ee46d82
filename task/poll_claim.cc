#include "home/task/poll_claim.h"

#include "absl/base/attributes.h"

namespace home::internal {

// By the address of a variable of its own. Out of line, see spawn.cc.
ABSL_ATTRIBUTE_NOINLINE std::uintptr_t PollClaimPolicy::ThisThread() noexcept {
  alignas(8) static thread_local char token = 0;
  return reinterpret_cast<std::uintptr_t>(&token);
}

}  // namespace home::internal
