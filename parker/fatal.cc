#include "home/parker/fatal.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace home::parker_internal {

void Die(const char* message, int system_error) noexcept {
  // stderr is unbuffered, so nothing is lost in the abort.
  if (system_error == 0) {
    std::fprintf(stderr, "parker: %s\n", message);
  } else {
    std::fprintf(stderr, "parker: %s: %s\n", message, std::strerror(system_error));
  }
  std::abort();
}

}  // namespace home::parker_internal
