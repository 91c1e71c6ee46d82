#include <pthread.h>
#include <sched.h>

#include <cstddef>
#include <string>
#include <thread>

#include "home/scheduler/platform.h"

namespace home::scheduler_internal {

std::size_t AvailableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on machines with more processors than the set can hold.
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
    return static_cast<std::size_t>(CPU_COUNT(&set));
  }
  const unsigned processors = std::thread::hardware_concurrency();
  return processors > 0 ? processors : 1;
}

void SetThreadName(const std::string& name) {
  // The kernel keeps 15 bytes and refuses more.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace home::scheduler_internal
