// How many workers a runtime has if nobody says.

#ifndef HOME_SCHEDULER_WORKER_COUNT_H_
#define HOME_SCHEDULER_WORKER_COUNT_H_

#include <cstddef>
#include <optional>

#include "absl/status/statusor.h"

namespace home::scheduler_internal {

inline constexpr std::size_t kMaxWorkers = 1024;

// The environment variable that replaces the default.
inline constexpr char kWorkerThreadsVariable[] = "HOME_WORKER_THREADS";

// For a process that may run on `processors` of them at a time, and use up the time of
// `cpu_limit` in the long run: the lesser, 1 to kMaxWorkers. A limit is rounded up, as Go
// (1.25) and Java do: the fraction is time that one worker fewer could not use. But more
// workers than that would use up the time early in every period of the quota and then all
// stand still until the next.
[[nodiscard]] std::size_t WorkersFor(std::size_t processors, std::optional<double> cpu_limit);

// The variable's value if it is set, else WorkersFor() what the system says.
// kInvalidArgument if the variable is no number from 1 to kMaxWorkers.
[[nodiscard]] absl::StatusOr<std::size_t> DefaultWorkers();

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_WORKER_COUNT_H_
