// What every POSIX system does in the same way.

#include <pthread.h>

#include "home/scheduler/platform.h"

namespace home::scheduler_internal {

void OnFork(void (*in_child)()) {
  // Fails for lack of memory only; then forks go unnoticed.
  static_cast<void>(::pthread_atfork(nullptr, nullptr, in_child));
}

}  // namespace home::scheduler_internal
