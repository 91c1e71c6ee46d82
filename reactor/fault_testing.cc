// The wrapped system calls. The names are the linker's: --wrap=f sends calls of f to
// __wrap_f, and __real_f is what f was.

#include "home/reactor/fault_testing.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
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

}  // namespace
}  // namespace home::testing

// NOLINTBEGIN(bugprone-reserved-identifier): see above.
using home::testing::Fails;
using home::testing::Limited;
using home::testing::SystemCall;

extern "C" {

int __real_accept4(int fd, sockaddr* address, socklen_t* size, int flags);
int __wrap_accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (Fails(SystemCall::kAccept4)) return -1;
  return __real_accept4(fd, address, size, flags);
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

ssize_t __real_recv(int fd, void* buffer, std::size_t size, int flags);
ssize_t __wrap_recv(int fd, void* buffer, std::size_t size, int flags) {
  if (Fails(SystemCall::kRecv)) return -1;
  return __real_recv(fd, buffer, Limited(size), flags);
}

ssize_t __real_send(int fd, const void* buffer, std::size_t size, int flags);
ssize_t __wrap_send(int fd, const void* buffer, std::size_t size, int flags) {
  if (Fails(SystemCall::kSend)) return -1;
  return __real_send(fd, buffer, Limited(size), flags);
}

ssize_t __real_splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size,
                      unsigned flags);
ssize_t __wrap_splice(int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size,
                      unsigned flags) {
  if (Fails(SystemCall::kSplice)) return -1;
  return __real_splice(from, from_offset, to, to_offset, Limited(size), flags);
}

ssize_t __real_write(int fd, const void* buffer, std::size_t size);
ssize_t __wrap_write(int fd, const void* buffer, std::size_t size) {
  if (Fails(SystemCall::kWrite)) return -1;
  return __real_write(fd, buffer, size);
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
