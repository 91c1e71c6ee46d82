#include "home/net/tcp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/status/status.h"

namespace home {
namespace {

using net_internal::SocketError;

constexpr absl::string_view kListen = "listen on";
constexpr absl::string_view kAccept = "accept on";

bool SetOption(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

absl::StatusOr<TcpListener> TcpListener::Bind(const SocketAddress& address,
                                              const ListenOptions& options) {
  absl::StatusOr<Reactor*> reactor = net_internal::RequireReactor(kListen, address);
  if (!reactor.ok()) return reactor.status();
  absl::StatusOr<UniqueFd> fd = net_internal::OpenTcpSocket(address.family());
  if (!fd.ok()) return fd.status();
  // REUSEADDR: a restarted server need not wait for old connections to expire.
  const bool ready = SetOption(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1) &&
                     (!options.reuse_port || SetOption(fd->get(), SOL_SOCKET, SO_REUSEPORT, 1)) &&
                     (!address.is_ipv6() || SetOption(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                     ::bind(fd->get(), address.native(), address.native_size()) == 0 &&
                     ::listen(fd->get(), options.backlog) == 0;
  if (!ready) return SocketError(errno, kListen, address);
  absl::StatusOr<SocketAddress> local = net_internal::LocalAddressOf(fd->get());
  if (!local.ok()) return local.status();
  absl::StatusOr<Registration> registration = (*reactor)->Register(fd->get(), Interest::Read());
  if (!registration.ok()) return registration.status();
  return TcpListener(net_internal::Socket(*std::move(fd), *std::move(registration)), *local);
}

home::Poll<TcpAccept::Output> TcpAccept::Poll(Context& cx) {
  for (;;) {
    home::Poll<ReadyEvent> ready = wait_.Poll(cx);
    if (ready.pending()) return cx.PendingFor("a connection to accept");
    if (!cx.ConsumeBudget()) return kPending;
    sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    UniqueFd fd(net_internal::AcceptTcpCall(listener_->fd(), reinterpret_cast<sockaddr*>(&storage),
                                            &length));
    if (!fd) {
      const int error = errno;
      if (error == EAGAIN || error == EWOULDBLOCK) {
        if ((*ready).ready.shutdown()) {
          return Output(net_internal::ReactorGone(kAccept, listener_->local_));
        }
        wait_.Clear(*ready);
        continue;
      }
      if (error == EINTR || net_internal::ConcernsLostConnection(error)) continue;
      // The readiness stays: after EMFILE the connection is still in the queue,
      // and no new edge will tell of it.
      return Output(SocketError(error, kAccept, listener_->local_));
    }
    absl::StatusOr<SocketAddress> peer = SocketAddress::FromNative(storage, length);
    if (!peer.ok()) return Output(peer.status());
    // Believed to be ready both ways: clients speak first more often than not,
    // and a new socket can always be written to.
    absl::StatusOr<Registration> registration = listener_->socket_.registration().RegisterSibling(
        fd.get(), TcpStream::kInterest, ReadySet(ReadySet::kReadable | ReadySet::kWritable));
    if (!registration.ok()) return Output(registration.status());
    return Output(TcpStream(net_internal::Socket(std::move(fd), *std::move(registration)), *peer));
  }
}

}  // namespace home
