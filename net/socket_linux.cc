// Linux: one call each.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "absl/base/config.h"
#include "home/net/socket.h"

namespace home::net_internal {

int OpenTcpCall(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

int AcceptTcpCall(int listener, sockaddr* address, socklen_t* size) {
  return ::accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER) || \
    defined(ABSL_HAVE_MEMORY_SANITIZER)
// They see what the C library's functions do, and nothing of others.
ssize_t ReceiveCall(int fd, void* data, std::size_t size) { return ::recv(fd, data, size, 0); }

ssize_t SendCall(int fd, const void* data, std::size_t size) {
  return ::send(fd, data, size, MSG_NOSIGNAL);
}
#else
// The C library's are points where a thread may be cancelled, and as soon as a process has a
// second thread they take two RMWs to say so. Nobody cancels the threads of a runtime.
ssize_t ReceiveCall(int fd, void* data, std::size_t size) {
  return ::syscall(SYS_recvfrom, fd, data, size, 0, nullptr, nullptr);
}

ssize_t SendCall(int fd, const void* data, std::size_t size) {
  return ::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, nullptr, 0);
}
#endif

// Linux hands the network errors of a waiting connection to accept().
bool ConcernsLostConnection(int error) {
  switch (error) {
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace home::net_internal
