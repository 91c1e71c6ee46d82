// Only sockets have readiness on Windows, and it has no pairs of them: all are ends of TCP
// connections.

#include <winsock2.h>
//
#include <ws2tcpip.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

SOCKET SocketOf(const UniqueFd& fd) { return static_cast<SOCKET>(fd.get()); }

HANDLE HandleOf(int fd) { return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(fd)); }

void SetNonblocking(SOCKET socket, bool nonblocking) {
  u_long mode = nonblocking ? 1 : 0;
  EXPECT_EQ(ioctlsocket(socket, FIONBIO, &mode), 0);
}

UniqueFd Nonblocking(SOCKET socket) {
  EXPECT_NE(socket, INVALID_SOCKET) << WSAGetLastError();
  SetNonblocking(socket, true);
  return UniqueFd(static_cast<int>(socket));
}

}  // namespace

FdPair MakePipe() { return MakeTcpPair(); }
FdPair MakeSocketPair() { return MakeTcpPair(); }

UniqueFd MakeTcpSocket() { return Nonblocking(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)); }

UniqueFd MakeUdpSocket(sockaddr_in* address) {
  UniqueFd fd = Nonblocking(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int size = sizeof(*address);
  auto* const any = reinterpret_cast<sockaddr*>(address);
  EXPECT_EQ(bind(SocketOf(fd), any, size), 0);
  EXPECT_EQ(getsockname(SocketOf(fd), any, &size), 0);
  return fd;
}

FdPair MakeTcpPair() {
  const TcpListenerFd listener;
  const SOCKET client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  // Blocks until it is connected: the other end is then in the backlog.
  EXPECT_EQ(connect(client, listener.Address(), static_cast<int>(listener.AddressSize())), 0);
  return FdPair{Nonblocking(client), Nonblocking(accept(SocketOf(listener.fd), nullptr, nullptr))};
}

TcpListenerFd::TcpListenerFd() : fd(MakeTcpSocket()), address_(std::make_unique<sockaddr_in>()) {
  address_->sin_family = AF_INET;
  address_->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int size = sizeof(*address_);
  EXPECT_EQ(bind(SocketOf(fd), Address(), size), 0);
  EXPECT_EQ(getsockname(SocketOf(fd), Address(), &size), 0);
  EXPECT_EQ(listen(SocketOf(fd), 16), 0);
}

TcpListenerFd::~TcpListenerFd() = default;

sockaddr* TcpListenerFd::Address() const { return reinterpret_cast<sockaddr*>(address_.get()); }

unsigned TcpListenerFd::AddressSize() const { return sizeof(*address_); }

int TcpListenerFd::Connect(const UniqueFd& client) const {
  return connect(SocketOf(client), Address(), sizeof(*address_));
}

void TcpListenerFd::ConnectNow(const UniqueFd& client) const {
  SetNonblocking(SocketOf(client), false);
  EXPECT_EQ(Connect(client), 0);
  SetNonblocking(SocketOf(client), true);
}

UniqueFd TcpListenerFd::Accept() const {
  return UniqueFd(static_cast<int>(accept(SocketOf(fd), nullptr, nullptr)));
}

void TcpListenerFd::Listen(int backlog) const { EXPECT_EQ(listen(SocketOf(fd), backlog), 0); }

void WriteByte(const UniqueFd& fd) { EXPECT_EQ(send(SocketOf(fd), "x", 1, 0), 1); }

void WriteUrgentByte(const UniqueFd& fd) { EXPECT_EQ(send(SocketOf(fd), "!", 1, MSG_OOB), 1); }

std::ptrdiff_t ReadSome(const UniqueFd& fd, char* to, std::size_t size) {
  return recv(SocketOf(fd), to, static_cast<int>(size), 0);
}

std::ptrdiff_t WriteSome(const UniqueFd& fd, const char* from, std::size_t size) {
  return send(SocketOf(fd), from, static_cast<int>(size), 0);
}

std::ptrdiff_t ReceiveNow(int fd, char* to, std::size_t size) {
  const auto socket = static_cast<SOCKET>(fd);
  SetNonblocking(socket, true);
  return recv(socket, to, static_cast<int>(size), 0);
}

bool IsOpen(int fd) {
  DWORD flags;
  return GetHandleInformation(HandleOf(fd), &flags) != FALSE;
}

bool IsInherited(int fd) {
  DWORD flags = 0;
  EXPECT_TRUE(GetHandleInformation(HandleOf(fd), &flags));
  return (flags & HANDLE_FLAG_INHERIT) != 0;
}

std::size_t OpenDescriptors() {
  DWORD count = 0;
  EXPECT_TRUE(GetProcessHandleCount(GetCurrentProcess(), &count));
  return count;
}

UniqueFd Duplicate(int fd) {
  WSAPROTOCOL_INFOW information;
  EXPECT_EQ(WSADuplicateSocketW(static_cast<SOCKET>(fd), GetCurrentProcessId(), &information), 0);
  return UniqueFd(
      static_cast<int>(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                                  &information, 0, WSA_FLAG_OVERLAPPED)));
}

UniqueFd OpenRegularFile() {
  wchar_t program[MAX_PATH];
  EXPECT_NE(GetModuleFileNameW(nullptr, program, MAX_PATH), 0u);
  const HANDLE file = CreateFileW(program, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                                  FILE_FLAG_OVERLAPPED, nullptr);
  EXPECT_NE(file, INVALID_HANDLE_VALUE);
  return UniqueFd(static_cast<int>(reinterpret_cast<std::intptr_t>(file)));
}

void CloseWriting(const UniqueFd& fd) { EXPECT_EQ(shutdown(SocketOf(fd), SD_SEND), 0); }

void CloseByReset(UniqueFd& fd) {
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(setsockopt(SocketOf(fd), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&reset),
                       sizeof(reset)),
            0);
  fd.Reset();
}

bool ClosingEndsBothDirections() { return false; }

// Wine asks its server for each step of a connection.
int Rounds(int rounds) { return rounds / 10; }

// There is no limit but memory; to make thousands takes long under Wine.
std::size_t AllowDescriptors(std::size_t wanted) { return std::min<std::size_t>(wanted, 1'100); }

}  // namespace home::reactor_internal
