// macOS. Where it has one call fewer than Linux, two that are not atomic stand for it: a child
// process that is made in between inherits a descriptor.

#include <fcntl.h>
#include <poll.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "absl/time/time.h"
#include "home/reactor/io_calls.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_stats.h"

namespace home::reactor_internal {
namespace {

static_assert(sizeof(struct stat) <= sizeof(IoRawStats));

// A timer that is set for longer fires and is set anew.
constexpr std::int64_t kLongestTimer = 86'400'000'000'000;

std::int64_t NanosUntil(const IoRequest& timeout) {
  const timespec when = *static_cast<const timespec*>(timeout.buffer);
  const auto deadline = std::chrono::seconds(when.tv_sec) + std::chrono::nanoseconds(when.tv_nsec);
  return std::chrono::nanoseconds(deadline - std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Has the kqueue `request.fd` become readable when the time has come, or earlier.
int SetTimer(const IoRequest& request) {
  struct kevent timer = {};
  EV_SET(&timer, 0, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS,
         std::clamp<std::int64_t>(NanosUntil(request), 1, kLongestTimer), nullptr);
  return ::kevent(request.fd, &timer, 1, nullptr, 0, nullptr);
}

absl::Time ToTime(const timespec& time) { return absl::TimeFromTimespec(time); }

}  // namespace

int AcceptCall(int fd, sockaddr* address, socklen_t* size) {
  const int accepted = ::accept(fd, address, size);
  if (accepted < 0) return -1;
  // It takes O_NONBLOCK after the listening socket.
  const int flags = ::fcntl(accepted, F_GETFL);
  if (flags < 0 || ::fcntl(accepted, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
      ::fcntl(accepted, F_SETFD, FD_CLOEXEC) < 0) {
    const int error = errno;
    ::close(accepted);
    errno = error;
    return -1;
  }
  return accepted;
}

// fsync() leaves the data in the disk's own cache.
int FlushCall(int fd, bool) {
  if (::fcntl(fd, F_FULLFSYNC) >= 0) return 0;
  // Not every file system has it.
  return errno == ENOTSUP || errno == ENOTTY || errno == EINVAL ? ::fsync(fd) : -1;
}

int StatCall(const IoRequest& request) {
  auto* const status = static_cast<struct stat*>(request.extra);
  if (request.fd != AT_FDCWD && *request.path == '\0') return ::fstat(request.fd, status);
  return ::fstatat(request.fd, request.path, status, static_cast<int>(request.flags));
}

IoStats IoStatsOf(const IoRawStats& raw) {
  struct stat status;
  std::memcpy(&status, raw.bytes, sizeof(status));
  IoStats stats;
  stats.mode = status.st_mode;
  stats.size = static_cast<std::uint64_t>(status.st_size);
  stats.device = static_cast<std::uint64_t>(status.st_dev);
  stats.inode = status.st_ino;
  stats.links = status.st_nlink;
  stats.user = status.st_uid;
  stats.group = status.st_gid;
  stats.blocks = static_cast<std::uint64_t>(status.st_blocks);
  stats.accessed = ToTime(status.st_atimespec);
  stats.modified = ToTime(status.st_mtimespec);
  stats.changed = ToTime(status.st_ctimespec);
  stats.created = ToTime(status.st_birthtimespec);
  return stats;
}

// A kqueue of its own with one timer in it: it becomes readable when that fires.
UniqueFd OpenIoTimer(IoRequest& request) {
  UniqueFd timer(::kqueue());
  request.fd = timer.get();
  if (!timer || ::fcntl(timer.get(), F_SETFD, FD_CLOEXEC) < 0 || SetTimer(request) < 0) {
    return UniqueFd();
  }
  return timer;
}

int TimerCall(const IoRequest& request) {
  struct kevent fired;
  constexpr timespec kNoWait = {};
  const int count = ::kevent(request.fd, nullptr, 0, &fired, 1, &kNoWait);
  if (count < 0) return -1;
  // Never early, by the clock that the deadline is from.
  if (NanosUntil(request) <= 0) return 0;
  if (count > 0 && SetTimer(request) < 0) return -1;
  errno = EAGAIN;
  return -1;
}

std::int64_t SpliceCall(const IoRequest&) {
  errno = ENOTSUP;
  return -1;
}

unsigned IoPollMask(Direction direction) {
  return direction == Direction::kRead ? POLLIN | POLLPRI : POLLOUT;
}

// Its POLLHUP is the end of the direction that was asked about.
ReadySet ReadySetOfIoPoll(Direction direction, unsigned events) {
  unsigned bits = 0;
  if ((events & POLLIN) != 0) bits |= ReadySet::kReadable;
  if ((events & POLLOUT) != 0) bits |= ReadySet::kWritable;
  if ((events & POLLPRI) != 0) bits |= ReadySet::kPriority;
  if ((events & POLLHUP) != 0) {
    bits |= direction == Direction::kRead ? ReadySet::kReadClosed : ReadySet::kWriteClosed;
  }
  if ((events & (POLLERR | POLLNVAL)) != 0) bits |= ReadySet::kError;
  return ReadySet(bits);
}

// Older systems do not know the flag of a single send.
void KeepFromRaisingSigpipe(int fd) {
  const int on = 1;
  // Refused of what is no socket, which nobody sends to.
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)));
}

}  // namespace home::reactor_internal
