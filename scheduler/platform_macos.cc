// macOS: it confines no thread to a processor and limits no process's share of them, so that
// the wishes of platform.h come to nothing.

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "home/scheduler/platform.h"

namespace home::scheduler_internal {

std::size_t AvailableProcessors() { return std::max(1u, std::thread::hardware_concurrency()); }

std::optional<double> CpuLimit() { return std::nullopt; }

struct Processors::Mask {};

Processors::Processors() = default;
Processors::~Processors() = default;

void Processors::PinThread(std::size_t) const {}
void Processors::UnpinThread() const {}

void SetThreadName(const std::string& name) {
  // The kernel keeps 63 bytes and refuses more.
  ::pthread_setname_np(name.substr(0, 63).c_str());
}

}  // namespace home::scheduler_internal
