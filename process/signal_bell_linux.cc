// Linux: an eventfd, watched edge-triggered and never read: each write is an edge.

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "home/process/signal_bell.h"

namespace home::process_internal {

absl::StatusOr<SignalBell> OpenSignalBell() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, "listen to signals: eventfd");
  return SignalBell{.watched = fd, .rope = fd};
}

void RingSignalBell(int rope) {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and that takes 2^64 - 2 signals.
  [[maybe_unused]] const ssize_t written = ::write(rope, &one, sizeof(one));
}

void SilenceSignalBell(int) {}

}  // namespace home::process_internal
