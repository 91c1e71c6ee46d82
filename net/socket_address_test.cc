#include "home/net/socket_address.h"

#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace home {
namespace {

TEST(SocketAddressTest, ParsesAndPrints) {
  for (const std::string text : {"127.0.0.1:8080", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:0",
                                 "[2001:db8::1]:443", "[fe80::1%3]:80"}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(SocketAddressTest, RefusesWhatIsNone) {
  using namespace std::string_literals;
  for (const std::string& text : {""s,
                                  ":"s,
                                  "127.0.0.1"s,
                                  "127.0.0.1:"s,
                                  "127.0.0.1:65536"s,
                                  "127.0.0.1:-1"s,
                                  "127.0.0.1:+1"s,
                                  "127.0.0.1: 1"s,
                                  "127.0.0.1:1 "s,
                                  "127.0.0.1:99999999999"s,
                                  "256.0.0.1:1"s,
                                  "1.2.3:1"s,
                                  "localhost:80"s,
                                  "::1:80"s,
                                  "[::1]"s,
                                  "[::1:80"s,
                                  "[]:80"s,
                                  "[127.0.0.1]:80"s,
                                  "[::1%]:80"s,
                                  "[::1%eth0]:80"s,
                                  "[:80"s,
                                  "127.0.0.1\0x:80"s,
                                  "[::1\0x]:80"s}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(address.status().message().find("parse socket address"), std::string::npos);
  }
}

TEST(SocketAddressTest, FactoriesAndPort) {
  EXPECT_EQ(SocketAddress::IPv4Loopback(80).ToString(), "127.0.0.1:80");
  EXPECT_EQ(SocketAddress::IPv4Any(80).ToString(), "0.0.0.0:80");
  EXPECT_EQ(SocketAddress::IPv6Loopback(80).ToString(), "[::1]:80");
  EXPECT_EQ(SocketAddress::IPv6Any(80).ToString(), "[::]:80");
  EXPECT_EQ(SocketAddress().ToString(), "0.0.0.0:0");
  EXPECT_EQ(SocketAddress::IPv4Loopback(80).WithPort(81).port(), 81);
  EXPECT_EQ(SocketAddress::IPv6Loopback(80).WithPort(81).port(), 81);
}

TEST(SocketAddressTest, Equality) {
  EXPECT_EQ(SocketAddress::IPv4Loopback(80), SocketAddress::Parse("127.0.0.1:80").value());
  EXPECT_EQ(SocketAddress::IPv6Loopback(80), SocketAddress::Parse("[0:0::1]:80").value());
  EXPECT_FALSE(SocketAddress::IPv4Loopback(80) == SocketAddress::IPv4Loopback(81));
  EXPECT_FALSE(SocketAddress::IPv4Loopback(80) == SocketAddress::IPv4Any(80));
  EXPECT_FALSE(SocketAddress::IPv4Loopback(80) == SocketAddress::IPv6Loopback(80));
  EXPECT_FALSE(SocketAddress::Parse("[fe80::1%1]:80").value() ==
               SocketAddress::Parse("[fe80::1%2]:80").value());
}

TEST(SocketAddressTest, NativeRoundTrip) {
  for (const SocketAddress& address :
       {SocketAddress::IPv4Loopback(7), SocketAddress::IPv6Loopback(7)}) {
    sockaddr_storage storage = {};
    std::memcpy(&storage, address.native(), address.native_size());
    EXPECT_EQ(SocketAddress::FromNative(storage, address.native_size()).value(), address);
    EXPECT_FALSE(SocketAddress::FromNative(storage, 4).ok());
  }
  sockaddr_storage unix_socket = {};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(SocketAddress::FromNative(unix_socket, sizeof(unix_socket)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace home
