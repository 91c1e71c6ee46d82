#include "home/reactor/io_engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace home::reactor_internal {

absl::Status SetNonblocking(int fd, bool nonblocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  const int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags >= 0 && (wanted == flags || ::fcntl(fd, F_SETFL, wanted) == 0)) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("attach descriptor ", fd, ": fcntl"));
}

bool IsStream(int fd) { return ::lseek(fd, 0, SEEK_CUR) < 0; }

}  // namespace home::reactor_internal
