// The wrapped system calls. The names are the linker's: --wrap=f sends calls of f to
// __wrap_f, and __real_f is what f was.

#include "home/reactor/fault_testing.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "liburing.h"

namespace home::testing {
namespace {

// Sets errno, as a system call that fails.
bool Fails(SystemCall call) {
  const int error = TakeFault(call);
  if (error == 0) return false;
  errno = error;
  return true;
}

std::size_t Limited(std::size_t size) {
  const std::size_t limit = transfer_limit.load();
  return limit == 0 ? size : std::min(size, limit);
}
// The number in an eventfd or a timer is moved whole.
std::size_t Limited(int fd, std::size_t size) {
  struct stat status = {};
  if (transfer_limit.load() == 0 || ::fstat(fd, &status) != 0) return size;
  return (status.st_mode & S_IFMT) == 0 ? size : Limited(size);
}

// Several parts, or of the first as much as may be moved.
class LimitedParts {
 public:
  LimitedParts(const iovec* parts, int count) : parts_(parts), count_(count) {
    if (transfer_limit.load() == 0 || count == 0) return;
    first_ = {.iov_base = parts->iov_base, .iov_len = Limited(parts->iov_len)};
    parts_ = &first_;
    count_ = 1;
  }
  LimitedParts(const LimitedParts&) = delete;
  LimitedParts& operator=(const LimitedParts&) = delete;

  [[nodiscard]] const iovec* data() const { return parts_; }
  [[nodiscard]] int count() const { return count_; }
  // The same message, with these.
  [[nodiscard]] msghdr In(const msghdr& message) const {
    msghdr limited = message;
    limited.msg_iov = const_cast<iovec*>(parts_);
    limited.msg_iovlen = static_cast<std::size_t>(count_);
    return limited;
  }

 private:
  iovec first_ = {};
  const iovec* parts_;
  int count_;
};

}  // namespace
}  // namespace home::testing

// NOLINTBEGIN(bugprone-reserved-identifier): see above.
using home::testing::Fails;
using home::testing::Limited;
using home::testing::LimitedParts;
using home::testing::SystemCall;
using home::testing::TakeFault;

extern "C" {

int __real_accept4(int fd, sockaddr* address, socklen_t* size, int flags);
int __wrap_accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (Fails(SystemCall::kAccept4)) return -1;
  return __real_accept4(fd, address, size, flags);
}

int __real_close(int fd);
int __wrap_close(int fd) {
  const int error = TakeFault(SystemCall::kClose);
  const int result = __real_close(fd);
  if (error == 0) return result;
  errno = error;  // the number is gone all the same
  return -1;
}

int __real_connect(int fd, const sockaddr* address, socklen_t size);
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  const int error = TakeFault(SystemCall::kConnect);
  // What is interrupted has begun, and goes on.
  if (error == 0 || error == EINTR) {
    const int result = __real_connect(fd, address, size);
    if (error == 0) return result;
  }
  errno = error;
  return -1;
}

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags) {
  if (Fails(SystemCall::kEpollCreate1)) return -1;
  return __real_epoll_create1(flags);
}

int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  if (Fails(SystemCall::kEpollCtl)) return -1;
  return __real_epoll_ctl(epoll, operation, fd, event);
}

int __real_epoll_pwait2(int epoll, epoll_event* events, int room, const timespec* timeout,
                        const sigset_t* mask);
int __wrap_epoll_pwait2(int epoll, epoll_event* events, int room, const timespec* timeout,
                        const sigset_t* mask) {
  if (Fails(SystemCall::kEpollPwait2)) return -1;
  return __real_epoll_pwait2(epoll, events, room, timeout, mask);
}

int __real_epoll_wait(int epoll, epoll_event* events, int room, int timeout);
int __wrap_epoll_wait(int epoll, epoll_event* events, int room, int timeout) {
  if (Fails(SystemCall::kEpollWait)) return -1;
  return __real_epoll_wait(epoll, events, room, timeout);
}

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags) {
  if (Fails(SystemCall::kEventfd)) return -1;
  return __real_eventfd(count, flags);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
  if (Fails(SystemCall::kFdatasync)) return -1;
  return __real_fdatasync(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd) {
  if (Fails(SystemCall::kFsync)) return -1;
  return __real_fsync(fd);
}

int __real_openat(int folder, const char* path, int flags, mode_t mode);
int __wrap_openat(int folder, const char* path, int flags, mode_t mode) {
  if (Fails(SystemCall::kOpenat)) return -1;
  return __real_openat(folder, path, flags, mode);
}

ssize_t __real_pread(int fd, void* buffer, std::size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void* buffer, std::size_t size, off_t offset) {
  if (Fails(SystemCall::kPread)) return -1;
  return __real_pread(fd, buffer, Limited(size), offset);
}

ssize_t __real_preadv(int fd, const iovec* parts, int count, off_t offset);
ssize_t __wrap_preadv(int fd, const iovec* parts, int count, off_t offset) {
  if (Fails(SystemCall::kPreadv)) return -1;
  const LimitedParts limited(parts, count);
  return __real_preadv(fd, limited.data(), limited.count(), offset);
}

ssize_t __real_pwrite(int fd, const void* buffer, std::size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void* buffer, std::size_t size, off_t offset) {
  if (Fails(SystemCall::kPwrite)) return -1;
  return __real_pwrite(fd, buffer, Limited(size), offset);
}

ssize_t __real_pwritev(int fd, const iovec* parts, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const iovec* parts, int count, off_t offset) {
  if (Fails(SystemCall::kPwritev)) return -1;
  const LimitedParts limited(parts, count);
  return __real_pwritev(fd, limited.data(), limited.count(), offset);
}

ssize_t __real_read(int fd, void* buffer, std::size_t size);
ssize_t __wrap_read(int fd, void* buffer, std::size_t size) {
  if (Fails(SystemCall::kRead)) return -1;
  return __real_read(fd, buffer, Limited(fd, size));
}

ssize_t __real_readv(int fd, const iovec* parts, int count);
ssize_t __wrap_readv(int fd, const iovec* parts, int count) {
  if (Fails(SystemCall::kReadv)) return -1;
  const LimitedParts limited(parts, count);
  return __real_readv(fd, limited.data(), limited.count());
}

ssize_t __real_recv(int fd, void* buffer, std::size_t size, int flags);
ssize_t __wrap_recv(int fd, void* buffer, std::size_t size, int flags) {
  if (Fails(SystemCall::kRecv)) return -1;
  return __real_recv(fd, buffer, Limited(size), flags);
}

ssize_t __real_recvmsg(int fd, msghdr* message, int flags);
ssize_t __wrap_recvmsg(int fd, msghdr* message, int flags) {
  if (Fails(SystemCall::kRecvmsg)) return -1;
  const LimitedParts parts(message->msg_iov, static_cast<int>(message->msg_iovlen));
  msghdr limited = parts.In(*message);
  const ssize_t result = __real_recvmsg(fd, &limited, flags);
  message->msg_namelen = limited.msg_namelen;
  message->msg_controllen = limited.msg_controllen;
  message->msg_flags = limited.msg_flags;
  return result;
}

ssize_t __real_send(int fd, const void* buffer, std::size_t size, int flags);
ssize_t __wrap_send(int fd, const void* buffer, std::size_t size, int flags) {
  if (Fails(SystemCall::kSend)) return -1;
  return __real_send(fd, buffer, Limited(size), flags);
}

ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  if (Fails(SystemCall::kSendmsg)) return -1;
  const LimitedParts parts(message->msg_iov, static_cast<int>(message->msg_iovlen));
  const msghdr limited = parts.In(*message);
  return __real_sendmsg(fd, &limited, flags);
}

ssize_t __real_splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size,
                      unsigned flags);
ssize_t __wrap_splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size,
                      unsigned flags) {
  if (Fails(SystemCall::kSplice)) return -1;
  return __real_splice(from, from_offset, to, to_offset, Limited(size), flags);
}

int __real_statx(int folder, const char* path, int flags, unsigned mask, struct statx* status);
int __wrap_statx(int folder, const char* path, int flags, unsigned mask, struct statx* status) {
  if (Fails(SystemCall::kStatx)) return -1;
  return __real_statx(folder, path, flags, mask, status);
}

int __real_timerfd_create(clockid_t clock, int flags);
int __wrap_timerfd_create(clockid_t clock, int flags) {
  if (Fails(SystemCall::kTimerfdCreate)) return -1;
  return __real_timerfd_create(clock, flags);
}

ssize_t __real_write(int fd, const void* buffer, std::size_t size);
ssize_t __wrap_write(int fd, const void* buffer, std::size_t size) {
  if (Fails(SystemCall::kWrite)) return -1;
  return __real_write(fd, buffer, Limited(fd, size));
}

ssize_t __real_writev(int fd, const iovec* parts, int count);
ssize_t __wrap_writev(int fd, const iovec* parts, int count) {
  if (Fails(SystemCall::kWritev)) return -1;
  const LimitedParts limited(parts, count);
  return __real_writev(fd, limited.data(), limited.count());
}

int __real_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params);
int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params) {
  if (Fails(SystemCall::kIoUringSetup)) return -errno;
  return __real_io_uring_queue_init_params(entries, ring, params);
}

io_uring_probe* __real_io_uring_get_probe_ring(io_uring* ring);
io_uring_probe* __wrap_io_uring_get_probe_ring(io_uring* ring) {
  if (Fails(SystemCall::kIoUringProbe)) return nullptr;
  io_uring_probe* probe = __real_io_uring_get_probe_ring(ring);
  if (probe != nullptr && home::testing::old_kernel.load()) {
    for (int op = IORING_OP_MSG_RING; op < probe->ops_len; ++op) probe->ops[op].flags = 0;
  }
  return probe;
}

int __real_io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* buffers, unsigned flags);
int __wrap_io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* buffers, unsigned flags) {
  if (Fails(SystemCall::kIoUringRegisterBuffers)) return -errno;
  return __real_io_uring_register_buf_ring(ring, buffers, flags);
}

int __real_io_uring_submit(io_uring* ring);
int __wrap_io_uring_submit(io_uring* ring) {
  if (Fails(SystemCall::kIoUringSubmit)) return -errno;
  return __real_io_uring_submit(ring);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
