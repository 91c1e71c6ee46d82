// A pipe. It may be full: then each of the bytes in it came after it was last emptied, and was an
// edge that is still to be acted on.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "home/process/signal_bell.h"
#include "home/reactor/unique_fd.h"

namespace home::process_internal {
namespace {

bool Prepare(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 &&
         ::fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

}  // namespace

absl::StatusOr<SignalBell> OpenSignalBell() {
  int fds[2];
  if (::pipe(fds) != 0) return absl::ErrnoToStatus(errno, "listen to signals: pipe");
  UniqueFd watched(fds[0]);
  UniqueFd rope(fds[1]);
  if (!Prepare(watched.get()) || !Prepare(rope.get())) {
    return absl::ErrnoToStatus(errno, "listen to signals: fcntl");
  }
  return SignalBell{.watched = watched.Release(), .rope = rope.Release()};
}

void RingSignalBell(int rope) { [[maybe_unused]] const ssize_t written = ::write(rope, "!", 1); }

void SilenceSignalBell(int watched) {
  char bytes[256];
  for (;;) {
    const ssize_t count = ::read(watched, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    // What comes while this ends is an edge of its own.
    if (count < static_cast<ssize_t>(sizeof(bytes))) return;
  }
}

}  // namespace home::process_internal
