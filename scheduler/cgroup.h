// The limit on processor time that Linux's control groups put on this process, as
// container engines and systemd set it.

#ifndef HOME_SCHEDULER_CGROUP_H_
#define HOME_SCHEDULER_CGROUP_H_

#include <optional>
#include <string>

namespace home::scheduler_internal {

// How many processors' worth of time this process may use, the least of what its
// groups, their parents, and both versions of the interface say; none if nothing limits
// it. What cannot be read or understood limits nothing. `root` goes before every path,
// for tests.
[[nodiscard]] std::optional<double> CgroupCpuLimit(const std::string& root = "");

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_CGROUP_H_
