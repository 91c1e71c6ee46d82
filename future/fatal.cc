#include "home/future/fatal.h"

#include <cstdio>
#include <cstdlib>

namespace home {

void Fatal(const char* message) noexcept {
  // stderr is unbuffered, so nothing is lost in the abort.
  std::fprintf(stderr, "home: %s\n", message);
  std::abort();
}

}  // namespace home
