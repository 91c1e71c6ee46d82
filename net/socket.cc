#include "home/net/socket.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace home::net_internal {

absl::StatusOr<UniqueFd> OpenTcpSocket(int family) {
  UniqueFd fd(OpenTcpCall(family));
  if (!fd) return absl::ErrnoToStatus(errno, "create a TCP socket");
  return fd;
}

absl::StatusOr<Reactor*> RequireReactor(absl::string_view operation, const SocketAddress& address) {
  Reactor* reactor = Reactor::Current();
  if (reactor != nullptr) return reactor;
  return absl::FailedPreconditionError(
      absl::StrCat(operation, " ", address.ToString(),
                   ": this thread has no reactor; do it in a task of a runtime (or in its "
                   "BlockOn), or within a home::ReactorScope"));
}

absl::Status SocketError(int error, absl::string_view operation, const SocketAddress& address) {
  return absl::ErrnoToStatus(error, absl::StrCat(operation, " ", address.ToString()));
}

absl::Status ReactorGone(absl::string_view operation, const SocketAddress& address) {
  return absl::CancelledError(
      absl::StrCat(operation, " ", address.ToString(), ": the runtime was shut down"));
}

absl::StatusOr<SocketAddress> LocalAddressOf(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return absl::ErrnoToStatus(errno, "ask for the local address of a socket");
  }
  return SocketAddress::FromNative(storage, length);
}

}  // namespace home::net_internal
