#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "home/scheduler/cgroup.h"
#include "home/scheduler/platform.h"

namespace home::scheduler_internal {
namespace {

constexpr int kMaxSetSize = 1 << 20;

}  // namespace

std::size_t AvailableProcessors() {
  // A machine may have more processors than any set of a fixed size can hold: the kernel
  // says so.
  for (int size = CPU_SETSIZE; size <= kMaxSetSize; size *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(size), [](cpu_set_t* allocated) { CPU_FREE(allocated); });
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      return static_cast<std::size_t>(std::max(1, CPU_COUNT_S(bytes, set.get())));
    }
    if (errno != EINVAL) break;
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

struct Processors::Mask {
  Mask() {
    CPU_ZERO(&set);
    // Then it stays empty.
    static_cast<void>(sched_getaffinity(0, sizeof(set), &set));
  }
  cpu_set_t set;
};

Processors::Processors() : mask_(std::make_unique<const Mask>()) {}
Processors::~Processors() = default;

void Processors::PinThread(std::size_t index) const {
  index %= static_cast<std::size_t>(std::max(1, CPU_COUNT(&mask_->set)));
  for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &mask_->set) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    static_cast<void>(sched_setaffinity(0, sizeof(one), &one));
    return;
  }
}

void Processors::UnpinThread() const {
  static_cast<void>(sched_setaffinity(0, sizeof(mask_->set), &mask_->set));
}

std::optional<double> CpuLimit() { return CgroupCpuLimit(); }

void SetThreadName(const std::string& name) {
  // The kernel keeps 15 bytes and refuses more.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace home::scheduler_internal
