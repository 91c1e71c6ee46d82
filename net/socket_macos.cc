// macOS. Where Linux has one call, several that are not atomic stand for it: a child process that
// is made in between inherits the socket.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

#include "home/net/socket.h"
#include "home/reactor/unique_fd.h"

namespace home::net_internal {
namespace {

// `fd` as the runtime wants sockets, or -1 and the error.
int Prepared(int fd) {
  if (fd < 0) return -1;
  UniqueFd owned(fd);
  const int on = 1;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 &&
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0 &&
      // Older systems do not know the flag of a single send.
      ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) == 0) {
    return owned.Release();
  }
  const int error = errno;
  owned.Reset();
  errno = error;
  return -1;
}

}  // namespace

int OpenTcpCall(int family) { return Prepared(::socket(family, SOCK_STREAM, IPPROTO_TCP)); }

int AcceptTcpCall(int listener, sockaddr* address, socklen_t* size) {
  return Prepared(::accept(listener, address, size));
}

ssize_t ReceiveCall(int fd, void* data, std::size_t size) { return ::recv(fd, data, size, 0); }

ssize_t SendCall(int fd, const void* data, std::size_t size) {
  return ::send(fd, data, size, MSG_NOSIGNAL);
}

// EINVAL too is what an option gets of a connection that its peer has reset already. Of accept() it
// means that the socket does not listen, which a TcpListener's does.
bool ConcernsLostConnection(int error) { return error == ECONNABORTED || error == EINVAL; }

}  // namespace home::net_internal
