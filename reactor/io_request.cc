// The operations as system calls, where POSIX systems agree; io_calls.h has the rest.

#include "home/reactor/io_request.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "home/reactor/io_calls.h"

namespace home::reactor_internal {
namespace {

std::int64_t Call(const IoRequest& request) {
  const int flags = static_cast<int>(request.flags);
  const bool positioned = request.offset != IoRequest::kCurrentPosition;
  switch (request.kind) {
    case IoKind::kRead:
      return positioned ? ::pread(request.fd, request.buffer, request.size, request.offset)
                        : ::read(request.fd, request.buffer, request.size);
    case IoKind::kWrite:
      return positioned ? ::pwrite(request.fd, request.buffer, request.size, request.offset)
                        : ::write(request.fd, request.buffer, request.size);
    case IoKind::kReadV: {
      const auto* parts = static_cast<const iovec*>(request.buffer);
      const int count = static_cast<int>(request.size);
      return positioned ? ::preadv(request.fd, parts, count, request.offset)
                        : ::readv(request.fd, parts, count);
    }
    case IoKind::kWriteV: {
      const auto* parts = static_cast<const iovec*>(request.buffer);
      const int count = static_cast<int>(request.size);
      return positioned ? ::pwritev(request.fd, parts, count, request.offset)
                        : ::writev(request.fd, parts, count);
    }
    case IoKind::kRecv:
      return ::recv(request.fd, request.buffer, request.size, flags);
    case IoKind::kSend:
      return ::send(request.fd, request.buffer, request.size, flags | MSG_NOSIGNAL);
    case IoKind::kRecvMsg:
      return ::recvmsg(request.fd, static_cast<msghdr*>(request.buffer), flags);
    case IoKind::kSendMsg:
      return ::sendmsg(request.fd, static_cast<msghdr*>(request.buffer), flags | MSG_NOSIGNAL);
    case IoKind::kAccept:
      return AcceptCall(request.fd, static_cast<sockaddr*>(request.buffer),
                        static_cast<socklen_t*>(request.extra));
    case IoKind::kConnect:
      return ::connect(request.fd, static_cast<const sockaddr*>(request.buffer),
                       static_cast<socklen_t>(request.size));
    case IoKind::kFsync:
      return FlushCall(request.fd, request.flags != 0);
    case IoKind::kOpen:
      return ::openat(request.fd, request.path, flags | O_CLOEXEC,
                      static_cast<mode_t>(request.size));
    case IoKind::kClose: {
      // Never repeated: the number is gone even after EINTR.
      const int result = ::close(request.fd);
      return result < 0 && errno == EINTR ? 0 : result;
    }
    case IoKind::kStat:
      return StatCall(request);
    case IoKind::kPoll: {
      pollfd one = {.fd = request.fd, .events = static_cast<short>(flags), .revents = 0};
      const int ready = ::poll(&one, 1, 0);
      if (ready > 0) return one.revents;
      if (ready == 0) errno = EAGAIN;
      return -1;
    }
    case IoKind::kTimeout:
      return TimerCall(request);
    case IoKind::kSplice:
      return SpliceCall(request);
  }
  errno = ENOSYS;
  return -1;
}

}  // namespace

Direction IoDirection(const IoRequest& request) {
  switch (request.kind) {
    case IoKind::kWrite:
    case IoKind::kWriteV:
    case IoKind::kSend:
    case IoKind::kSendMsg:
    case IoKind::kConnect:
      return Direction::kWrite;
    case IoKind::kPoll:
      return (request.flags & POLLOUT) != 0 ? Direction::kWrite : Direction::kRead;
    default:
      return Direction::kRead;
  }
}

std::int64_t PerformIo(const IoRequest& request, bool again) {
  for (;;) {
    const std::int64_t result = Call(request);
    if (result >= 0) return result;
    if (request.kind == IoKind::kConnect) {
      // Called again, it says what has become of the first; that a signal interrupted that
      // has not ended it. A Unix socket says EAGAIN when the backlog is full, which no readiness
      // would ever report the end of: that is an error.
      if (errno == EINPROGRESS || errno == EINTR) return kIoWouldBlock;
      if (again && errno == EALREADY) return kIoWouldBlock;
      return -errno;
    }
    if (errno == EINTR) continue;
    const bool would_block = errno == EAGAIN || errno == EWOULDBLOCK;
    if (would_block && request.kind != IoKind::kSplice) return kIoWouldBlock;
    return -errno;
  }
}

}  // namespace home::reactor_internal
