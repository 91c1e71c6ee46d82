// IoStats: what a system knows of a file, in one form for all systems.
//
// Thread-safety: a plain value.

#ifndef HOME_REACTOR_IO_STATS_H_
#define HOME_REACTOR_IO_STATS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace home {

struct IoStats {
  std::uint32_t mode = 0;  // kind and permissions, as S_ISREG() and its like take it
  std::uint64_t size = 0;  // bytes
  std::uint64_t device = 0;
  std::uint64_t inode = 0;  // with the device, the file's identity
  std::uint64_t links = 0;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::uint64_t blocks = 0;  // of 512 bytes, on the disk
  absl::Time accessed;
  absl::Time modified;
  absl::Time changed;                         // the file's statistics, or its data
  absl::Time created = absl::InfinitePast();  // so if the file system does not know
};

namespace reactor_internal {

// Room for the same as the system has it.
struct IoRawStats {
  alignas(8) std::byte bytes[256] = {};
};

// What a system call has left there.
IoStats IoStatsOf(const IoRawStats& raw);

}  // namespace reactor_internal

}  // namespace home

#endif  // HOME_REACTOR_IO_STATS_H_
