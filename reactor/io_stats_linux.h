// How statx(2) is asked for IoStats.

#ifndef HOME_REACTOR_IO_STATS_LINUX_H_
#define HOME_REACTOR_IO_STATS_LINUX_H_

#include <fcntl.h>
#include <sys/stat.h>

#include "home/reactor/io_request.h"
#include "home/reactor/io_stats.h"

namespace home::reactor_internal {

static_assert(sizeof(struct statx) <= sizeof(IoRawStats));

inline constexpr unsigned kStatxMask = STATX_BASIC_STATS | STATX_BTIME;

// An empty path means the file, but an empty path of no file is an error.
inline int StatxFlags(const IoRequest& request) {
  return static_cast<int>(request.flags) | (request.fd == AT_FDCWD ? 0 : AT_EMPTY_PATH);
}

inline struct statx* StatxRoom(const IoRequest& request) {
  return static_cast<struct statx*>(request.extra);
}

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_STATS_LINUX_H_
