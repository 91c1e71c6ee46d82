#include "home/net/socket_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace home {
namespace {

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("parse socket address \"", text, "\": ", why,
                   " (expected \"127.0.0.1:8080\" or \"[::1]:8080\")"));
}

// Digits only: the numbers of absl::SimpleAtoi may have signs and spaces.
bool ParseNumber(absl::string_view text, std::uint32_t max, std::uint32_t* value) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return absl::SimpleAtoi(text, value) && *value <= max;
}

}  // namespace

absl::StatusOr<SocketAddress> SocketAddress::Parse(absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(text, "no port");
  std::uint32_t port;
  if (!ParseNumber(text.substr(colon + 1), 65535, &port)) {
    return Malformed(text, "the port is not a number from 0 to 65535");
  }
  absl::string_view host = text.substr(0, colon);
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, std::string(host).c_str(), &address.sin_addr) != 1 ||
        host.find('\0') != absl::string_view::npos) {
      return Malformed(text, "not an IPv4 address");
    }
    return SocketAddress(address);
  }
  host = host.substr(1, host.size() - 2);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  const std::size_t percent = host.find('%');
  if (percent != absl::string_view::npos) {
    std::uint32_t zone;
    if (!ParseNumber(host.substr(percent + 1), UINT32_MAX, &zone)) {
      return Malformed(text, "the zone is not a number");
    }
    address.sin6_scope_id = zone;
    host = host.substr(0, percent);
  }
  if (::inet_pton(AF_INET6, std::string(host).c_str(), &address.sin6_addr) != 1 ||
      host.find('\0') != absl::string_view::npos) {
    return Malformed(text, "not an IPv6 address");
  }
  return SocketAddress(address);
}

SocketAddress SocketAddress::IPv4Loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return SocketAddress(address);
}

SocketAddress SocketAddress::IPv4Any(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  return SocketAddress(address);
}

SocketAddress SocketAddress::IPv6Loopback(std::uint16_t port) {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return SocketAddress(address);
}

SocketAddress SocketAddress::IPv6Any(std::uint16_t port) {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_any;
  return SocketAddress(address);
}

absl::StatusOr<SocketAddress> SocketAddress::FromNative(const sockaddr_storage& storage,
                                                        socklen_t length) {
  if (storage.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in address;
    std::memcpy(&address, &storage, sizeof(address));
    return SocketAddress(address);
  }
  if (storage.ss_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 address;
    std::memcpy(&address, &storage, sizeof(address));
    return SocketAddress(address);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("socket address: family ", storage.ss_family, " is neither IPv4 nor IPv6"));
}

std::uint16_t SocketAddress::port() const {
  return ntohs(is_ipv4() ? native_.v4.sin_port : native_.v6.sin6_port);
}

SocketAddress SocketAddress::WithPort(std::uint16_t port) const {
  SocketAddress other = *this;
  if (is_ipv4()) {
    other.native_.v4.sin_port = htons(port);
  } else {
    other.native_.v6.sin6_port = htons(port);
  }
  return other;
}

std::string SocketAddress::ToString() const {
  char host[INET6_ADDRSTRLEN];
  if (is_ipv4()) {
    ::inet_ntop(AF_INET, &native_.v4.sin_addr, host, sizeof(host));
    return absl::StrCat(host, ":", port());
  }
  ::inet_ntop(AF_INET6, &native_.v6.sin6_addr, host, sizeof(host));
  if (native_.v6.sin6_scope_id == 0) return absl::StrCat("[", host, "]:", port());
  return absl::StrCat("[", host, "%", native_.v6.sin6_scope_id, "]:", port());
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  if (a.family() != b.family() || a.port() != b.port()) return false;
  if (a.is_ipv4()) return a.native_.v4.sin_addr.s_addr == b.native_.v4.sin_addr.s_addr;
  return std::memcmp(&a.native_.v6.sin6_addr, &b.native_.v6.sin6_addr, sizeof(in6_addr)) == 0 &&
         a.native_.v6.sin6_scope_id == b.native_.v6.sin6_scope_id;
}

}  // namespace home
