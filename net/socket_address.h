// SocketAddress: an IPv4 or IPv6 address with a port.
//
//   absl::StatusOr<SocketAddress> a = SocketAddress::Parse("127.0.0.1:8080");
//   SocketAddress::Parse("[::1]:0")->ToString();            // "[::1]:0"
//
// Names are not resolved here.
//
// Thread-safety: a plain value of fixed size.

#ifndef HOME_NET_SOCKET_ADDRESS_H_
#define HOME_NET_SOCKET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace home {

class SocketAddress {
 public:
  // 0.0.0.0:0.
  SocketAddress() : SocketAddress(IPv4Any(0)) {}

  // "a.b.c.d:port" or "[v6]:port", where v6 may end in "%zone" with a zone
  // number.
  static absl::StatusOr<SocketAddress> Parse(absl::string_view text);
  static SocketAddress IPv4Loopback(std::uint16_t port);
  static SocketAddress IPv4Any(std::uint16_t port);
  static SocketAddress IPv6Loopback(std::uint16_t port);
  static SocketAddress IPv6Any(std::uint16_t port);
  // From what the system fills in; an error for other families.
  static absl::StatusOr<SocketAddress> FromNative(const sockaddr_storage& storage,
                                                  socklen_t length);

  bool is_ipv4() const { return native_.any.sa_family == AF_INET; }
  bool is_ipv6() const { return native_.any.sa_family == AF_INET6; }
  std::uint16_t port() const;
  // The same address with another port.
  SocketAddress WithPort(std::uint16_t port) const;

  // In the form that Parse() reads.
  std::string ToString() const;

  // For system calls.
  int family() const { return native_.any.sa_family; }
  const sockaddr* native() const { return &native_.any; }
  socklen_t native_size() const { return is_ipv4() ? sizeof(native_.v4) : sizeof(native_.v6); }

  friend bool operator==(const SocketAddress& a, const SocketAddress& b);

 private:
  explicit SocketAddress(const sockaddr_in& address) { native_.v4 = address; }
  explicit SocketAddress(const sockaddr_in6& address) { native_.v6 = address; }

  union Native {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  Native native_;
};

}  // namespace home

#endif  // HOME_NET_SOCKET_ADDRESS_H_
