// Linux: one call each.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "home/net/socket.h"

namespace home::net_internal {

int OpenTcpCall(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

int AcceptTcpCall(int listener, sockaddr* address, socklen_t* size) {
  return ::accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

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
