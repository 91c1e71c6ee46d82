// Socket: a nonblocking socket and its registration, which ends before the
// descriptor is closed. What TcpStream and TcpListener have in common.
//
// Thread-safety: as Registration.

#ifndef HOME_NET_SOCKET_H_
#define HOME_NET_SOCKET_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "home/net/socket_address.h"
#include "home/reactor/reactor.h"
#include "home/reactor/registration.h"
#include "home/reactor/unique_fd.h"

namespace home::net_internal {

class Socket {
 public:
  Socket() = default;
  Socket(UniqueFd fd, Registration registration)
      : fd_(std::move(fd)), registration_(std::move(registration)) {}
  Socket(Socket&&) noexcept = default;
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      registration_.Reset();
      fd_ = std::move(other.fd_);
      registration_ = std::move(other.registration_);
    }
    return *this;
  }
  ~Socket() = default;

  int fd() const { return fd_.get(); }
  Registration& registration() { return registration_; }
  const Registration& registration() const { return registration_; }

 private:
  UniqueFd fd_;
  Registration registration_;  // after fd_: it goes first
};

// The system calls that differ between POSIX systems. One source file each implements them:
// socket_linux.cc, socket_macos.cc. All return -1 and set errno as system calls do; the sockets
// that they make are nonblocking, not inherited by programs that are executed, and raise no SIGPIPE
// when they are sent to with MSG_NOSIGNAL.
int OpenTcpCall(int family);
int AcceptTcpCall(int listener, sockaddr* address, socklen_t* size);
// As recv() and send(); a peer that is gone raises no signal.
ssize_t ReceiveCall(int fd, void* data, std::size_t size);
ssize_t SendCall(int fd, const void* data, std::size_t size);
// Whether this error of AcceptTcpCall() belongs to a connection which is gone, not to the listener.
bool ConcernsLostConnection(int error);

// A new TCP socket, see above.
absl::StatusOr<UniqueFd> OpenTcpSocket(int family);

// This thread's reactor, or an error that says how to get one.
absl::StatusOr<Reactor*> RequireReactor(absl::string_view operation, const SocketAddress& address);

// "read from 127.0.0.1:80: Connection reset by peer".
absl::Status SocketError(int error, absl::string_view operation, const SocketAddress& address);

// The reactor died while the operation waited.
absl::Status ReactorGone(absl::string_view operation, const SocketAddress& address);

absl::StatusOr<SocketAddress> LocalAddressOf(int fd);

}  // namespace home::net_internal

#endif  // HOME_NET_SOCKET_H_
