#include "home/scheduler/worker_count.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "home/scheduler/platform.h"

namespace home::scheduler_internal {

std::size_t WorkersFor(std::size_t processors, std::optional<double> cpu_limit) {
  double workers = static_cast<double>(processors);
  if (cpu_limit) workers = std::min(workers, std::ceil(*cpu_limit));
  return static_cast<std::size_t>(std::clamp(workers, 1.0, static_cast<double>(kMaxWorkers)));
}

absl::StatusOr<std::size_t> DefaultWorkers() {
  const char* const text = std::getenv(kWorkerThreadsVariable);
  if (text == nullptr) return WorkersFor(AvailableProcessors(), CpuLimit());
  std::uint32_t workers = 0;
  if (!absl::SimpleAtoi(text, &workers) || workers < 1 || workers > kMaxWorkers) {
    return absl::InvalidArgumentError(absl::StrCat("environment variable ", kWorkerThreadsVariable,
                                                   ": must be a number from 1 to ", kMaxWorkers,
                                                   ", not \"", text, "\""));
  }
  return workers;
}

}  // namespace home::scheduler_internal
