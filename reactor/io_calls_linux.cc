#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "absl/time/time.h"
#include "home/reactor/io_calls.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_stats_linux.h"
#include "home/reactor/poll_events.h"

namespace home::reactor_internal {
namespace {

absl::Time ToTime(const statx_timestamp& time) {
  return absl::FromUnixSeconds(time.tv_sec) + absl::Nanoseconds(time.tv_nsec);
}

}  // namespace

int AcceptCall(int fd, sockaddr* address, socklen_t* size) {
  return ::accept4(fd, address, size, SOCK_CLOEXEC);
}

int FlushCall(int fd, bool data_only) { return data_only ? ::fdatasync(fd) : ::fsync(fd); }

int StatCall(const IoRequest& request) {
  return ::statx(request.fd, request.path, StatxFlags(request), kStatxMask, StatxRoom(request));
}

IoStats IoStatsOf(const IoRawStats& raw) {
  struct statx status;
  std::memcpy(&status, raw.bytes, sizeof(status));
  IoStats stats;
  stats.mode = status.stx_mode;
  stats.size = status.stx_size;
  stats.device = makedev(status.stx_dev_major, status.stx_dev_minor);
  stats.inode = status.stx_ino;
  stats.links = status.stx_nlink;
  stats.user = status.stx_uid;
  stats.group = status.stx_gid;
  stats.blocks = status.stx_blocks;
  stats.accessed = ToTime(status.stx_atime);
  stats.modified = ToTime(status.stx_mtime);
  stats.changed = ToTime(status.stx_ctime);
  if ((status.stx_mask & STATX_BTIME) != 0) stats.created = ToTime(status.stx_btime);
  return stats;
}

UniqueFd OpenIoTimer(IoRequest& request) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  itimerspec when = {};
  when.it_value = *static_cast<const timespec*>(request.buffer);
  // Zero would mean never.
  if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  if (!timer || ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &when, nullptr) != 0) {
    return UniqueFd();
  }
  request.fd = timer.get();
  return timer;
}

int TimerCall(const IoRequest& request) {
  std::uint64_t expirations;
  return ::read(request.fd, &expirations, sizeof(expirations)) < 0 ? -1 : 0;
}

std::int64_t SpliceCall(const IoRequest& request) {
  std::int64_t from = request.offset;
  std::int64_t to = request.to_offset;
  return ::splice(request.fd, from != IoRequest::kCurrentPosition ? &from : nullptr, request.to_fd,
                  to != IoRequest::kCurrentPosition ? &to : nullptr, request.size,
                  request.flags | SPLICE_F_NONBLOCK);
}

unsigned IoPollMask(Direction direction) {
  return direction == Direction::kRead ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT;
}

ReadySet ReadySetOfIoPoll(Direction, unsigned events) { return ReadySetOfPoll(events); }

// Each send says that it wants none.
void KeepFromRaisingSigpipe(int) {}

}  // namespace home::reactor_internal
