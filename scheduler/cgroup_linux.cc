// Which groups the process is in is in /proc/self/cgroup, one line a hierarchy:
//
//   0::/user.slice/app.service              version 2
//   4:cpu,cpuacct:/docker/3f2a              version 1, the one with these controllers
//
// Where the hierarchies are mounted is in /proc/self/mountinfo:
//
//   36 35 0:31 /docker /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
//              ^ root  ^ mount point                           ^ type  source ^ options
//
// The group's folder is the mount point and the part of the group's path below the
// mount's root. A limit holds for all groups below the one that has it, so each folder
// from the group's own up to the mount point is looked at.
//
//   version 2   cpu.max: "QUOTA PERIOD", in microseconds; QUOTA may be "max"
//   version 1   cpu.cfs_quota_us, -1 for none, and cpu.cfs_period_us

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "home/scheduler/cgroup.h"

namespace home::scheduler_internal {
namespace {

struct Hierarchy {
  bool v2 = false;
  std::string mount_root;
  std::string mount_point;
};

// The first line of a file; none if it cannot be read.
std::optional<std::string> FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// Blanks, tabs, line ends and backslashes are \ooo in mountinfo.
std::string Unescape(absl::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool ListHas(absl::string_view list, absl::string_view wanted) {
  const std::vector<absl::string_view> items = absl::StrSplit(list, ',');
  return std::find(items.begin(), items.end(), wanted) != items.end();
}

// A line of mountinfo, if it is the mount of a hierarchy that may limit processor time.
std::optional<Hierarchy> ParseMount(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  // Six fields, any number of optional ones, a dash, and three.
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (dash - fields.begin() < 6 || fields.end() - dash < 4) return std::nullopt;
  const absl::string_view type = dash[1];
  const bool v2 = type == "cgroup2";
  if (!v2 && (type != "cgroup" || !ListHas(dash[3], "cpu"))) return std::nullopt;
  return Hierarchy{v2, Unescape(fields[3]), Unescape(fields[4])};
}

std::vector<Hierarchy> ReadMounts(const std::string& root) {
  std::vector<Hierarchy> hierarchies;
  std::ifstream file(root + "/proc/self/mountinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (std::optional<Hierarchy> hierarchy = ParseMount(line)) hierarchies.push_back(*hierarchy);
  }
  return hierarchies;
}

// The path of this process's group in the hierarchy.
std::optional<std::string> GroupPath(const std::string& root, bool v2) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    // A path may have colons.
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    if (v2 ? fields[0] == "0" && fields[1].empty() : ListHas(fields[1], "cpu")) {
      return std::string(fields[2]);
    }
  }
  return std::nullopt;
}

// `path` below the mount's root; empty if it is not there, as in a container that shows
// its own group as the mount's root under another name: then the mount point is the group.
absl::string_view BelowRoot(absl::string_view path, absl::string_view mount_root) {
  if (mount_root == "/") mount_root = "";
  if (!absl::ConsumePrefix(&path, mount_root)) return "";
  if (!path.empty() && path[0] != '/') return "";  // another name that begins like it
  if (path.find("/..") != absl::string_view::npos) return "";
  return absl::StripSuffix(path, "/");
}

std::optional<double> Ratio(absl::string_view quota, absl::string_view period) {
  std::int64_t quota_us = 0;
  std::int64_t period_us = 0;
  if (!absl::SimpleAtoi(quota, &quota_us) || !absl::SimpleAtoi(period, &period_us)) {
    return std::nullopt;
  }
  if (quota_us <= 0 || period_us <= 0) return std::nullopt;
  return static_cast<double>(quota_us) / static_cast<double>(period_us);
}

// What the group in `folder` says by itself.
std::optional<double> LimitOf(const std::string& folder, bool v2) {
  if (v2) {
    const std::optional<std::string> line = FirstLine(folder + "/cpu.max");
    if (!line) return std::nullopt;
    const std::vector<absl::string_view> fields = absl::StrSplit(*line, ' ');
    if (fields.size() != 2) return std::nullopt;
    return Ratio(fields[0], fields[1]);
  }
  const std::optional<std::string> quota = FirstLine(folder + "/cpu.cfs_quota_us");
  const std::optional<std::string> period = FirstLine(folder + "/cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return Ratio(*quota, *period);
}

}  // namespace

std::optional<double> CgroupCpuLimit(const std::string& root) {
  std::optional<double> least;
  for (const Hierarchy& hierarchy : ReadMounts(root)) {
    const std::optional<std::string> path = GroupPath(root, hierarchy.v2);
    if (!path) continue;
    std::string below(BelowRoot(*path, hierarchy.mount_root));
    while (true) {
      const std::string folder = absl::StrCat(root, hierarchy.mount_point, below);
      if (const std::optional<double> limit = LimitOf(folder, hierarchy.v2)) {
        least = std::min(least.value_or(*limit), *limit);
      }
      if (below.empty()) break;
      below.resize(below.rfind('/'));
    }
  }
  return least;
}

}  // namespace home::scheduler_internal
