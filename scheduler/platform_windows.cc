// Processors are those of the thread's processor group: 64 at most.

#include <windows.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "home/scheduler/platform.h"

// Of kernel32.dll since Windows 10, and not in mingw-w64's headers.
extern "C" HRESULT WINAPI SetThreadDescription(HANDLE thread, PCWSTR description);

namespace home::scheduler_internal {
namespace {

// The group of this thread and, in it, the processors that it may run on; none if the system
// does not say.
GROUP_AFFINITY ThreadAffinity() {
  GROUP_AFFINITY affinity = {};
  if (!GetThreadGroupAffinity(GetCurrentThread(), &affinity)) affinity.Mask = 0;
  return affinity;
}

void SetThreadAffinity(const GROUP_AFFINITY& affinity) {
  static_cast<void>(SetThreadGroupAffinity(GetCurrentThread(), &affinity, nullptr));
}

}  // namespace

std::size_t AvailableProcessors() {
  const int processors = std::popcount(ThreadAffinity().Mask);
  if (processors > 0) return static_cast<std::size_t>(processors);
  return std::max(1u, std::thread::hardware_concurrency());
}

// There is no fork here.
void OnFork(void (*)()) {}

struct Processors::Mask {
  GROUP_AFFINITY set = ThreadAffinity();
};

Processors::Processors() : mask_(std::make_unique<const Mask>()) {}
Processors::~Processors() = default;

void Processors::PinThread(std::size_t index) const {
  GROUP_AFFINITY one = mask_->set;
  index %= static_cast<std::size_t>(std::max(1, std::popcount(one.Mask)));
  // Without the lowest `index` bits that are set, and all but the lowest of the rest.
  for (; index > 0; --index) one.Mask &= one.Mask - 1;
  one.Mask &= ~one.Mask + 1;
  if (one.Mask != 0) SetThreadAffinity(one);
}

void Processors::UnpinThread() const {
  if (mask_->set.Mask != 0) SetThreadAffinity(mask_->set);
}

// What a job object grants is not looked at.
std::optional<double> CpuLimit() { return std::nullopt; }

void SetThreadName(const std::string& name) {
  const int bytes = static_cast<int>(name.size());
  const int size = MultiByteToWideChar(CP_UTF8, 0, name.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<std::size_t>(std::max(0, size)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, name.data(), bytes, wide.data(), size);
  static_cast<void>(SetThreadDescription(GetCurrentThread(), wide.c_str()));
}

}  // namespace home::scheduler_internal
