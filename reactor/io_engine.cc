#include "home/reactor/io_engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace home::reactor_internal {

bool SelectBuffer(IoRequest& request) {
  request.selected = request.buffers->Take();
  if (request.selected < 0) return false;
  request.buffer = request.buffers->data(request.selected);
  request.size = request.buffers->buffer_size();
  return true;
}

absl::Status SetNonblocking(int fd, bool nonblocking) {
  const int flags = ::fcntl(fd, F_GETFL);
  const int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags >= 0 && (wanted == flags || ::fcntl(fd, F_SETFL, wanted) == 0)) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("attach descriptor ", fd, ": fcntl"));
}

bool IsStream(int fd) { return ::lseek(fd, 0, SEEK_CUR) < 0; }

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options) {
  if (options.backend == IoBackend::kBest) {
    // Why io_uring is not to be had is of no interest: all works as well without it.
    absl::StatusOr<std::shared_ptr<IoEngine>> uring = CreateUringEngine(registry, options);
    if (uring.ok()) return *std::move(uring);
  }
  return CreateReadinessEngine(std::move(registry), options);
}

}  // namespace home::reactor_internal
