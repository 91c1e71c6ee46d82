#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "gtest/gtest.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {
namespace {

// By calls that every POSIX system has.
UniqueFd Nonblocking(int fd) {
  EXPECT_GE(fd, 0);
  EXPECT_EQ(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
  EXPECT_EQ(::fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
  return UniqueFd(fd);
}

}  // namespace

FdPair MakePipe() {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  return FdPair{Nonblocking(fds[0]), Nonblocking(fds[1])};
}

FdPair MakeSocketPair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  return FdPair{Nonblocking(fds[0]), Nonblocking(fds[1])};
}

UniqueFd MakeTcpSocket() { return Nonblocking(::socket(AF_INET, SOCK_STREAM, 0)); }

UniqueFd MakeUdpSocket(sockaddr_in* address) {
  UniqueFd fd = Nonblocking(::socket(AF_INET, SOCK_DGRAM, 0));
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(*address);
  auto* const any = reinterpret_cast<sockaddr*>(address);
  EXPECT_EQ(::bind(fd.get(), any, size), 0);
  EXPECT_EQ(::getsockname(fd.get(), any, &size), 0);
  return fd;
}

FdPair MakeTcpPair() {
  const TcpListenerFd listener;
  UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
  // Blocks until it is connected: the other end is then in the backlog.
  listener.Connect(client);
  return FdPair{Nonblocking(client.Release()),
                Nonblocking(::accept(listener.fd.get(), nullptr, nullptr))};
}

TcpListenerFd::TcpListenerFd() : fd(MakeTcpSocket()), address_(std::make_unique<sockaddr_in>()) {
  address_->sin_family = AF_INET;
  address_->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(*address_);
  EXPECT_EQ(::bind(fd.get(), Address(), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), Address(), &size), 0);
  EXPECT_EQ(::listen(fd.get(), 16), 0);
}

TcpListenerFd::~TcpListenerFd() = default;

sockaddr* TcpListenerFd::Address() const { return reinterpret_cast<sockaddr*>(address_.get()); }

unsigned TcpListenerFd::AddressSize() const { return sizeof(*address_); }

int TcpListenerFd::Connect(const UniqueFd& client) const {
  return ::connect(client.get(), Address(), sizeof(*address_));
}

void TcpListenerFd::ConnectNow(const UniqueFd& client) const {
  const int flags = ::fcntl(client.get(), F_GETFL);
  EXPECT_EQ(::fcntl(client.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  EXPECT_EQ(Connect(client), 0);
  EXPECT_EQ(::fcntl(client.get(), F_SETFL, flags), 0);
}

UniqueFd TcpListenerFd::Accept() const { return UniqueFd(::accept(fd.get(), nullptr, nullptr)); }

void TcpListenerFd::Listen(int backlog) const { EXPECT_EQ(::listen(fd.get(), backlog), 0); }

void WriteByte(const UniqueFd& fd) { EXPECT_EQ(::write(fd.get(), "x", 1), 1); }

void WriteUrgentByte(const UniqueFd& fd) { EXPECT_EQ(::send(fd.get(), "!", 1, MSG_OOB), 1); }

std::ptrdiff_t ReadSome(const UniqueFd& fd, char* to, std::size_t size) {
  return ::read(fd.get(), to, size);
}

std::ptrdiff_t WriteSome(const UniqueFd& fd, const char* from, std::size_t size) {
  return ::write(fd.get(), from, size);
}

std::ptrdiff_t ReceiveNow(int fd, char* to, std::size_t size) {
  return ::recv(fd, to, size, MSG_DONTWAIT);
}

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

bool IsInherited(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0; }

std::size_t OpenDescriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/dev/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

UniqueFd Duplicate(int fd) { return UniqueFd(::dup(fd)); }

UniqueFd OpenRegularFile() {
  UniqueFd fd(::open("/bin/sh", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd);
  return fd;
}

void CloseWriting(const UniqueFd& fd) { EXPECT_EQ(::shutdown(fd.get(), SHUT_WR), 0); }

void CloseByReset(UniqueFd& fd) {
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
  fd.Reset();
}

bool ClosingEndsBothDirections() { return true; }

int Rounds(int rounds) { return rounds; }

std::size_t AllowDescriptors(std::size_t wanted) {
  rlimit limit = {};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < wanted) {
    rlimit higher = limit;
    higher.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    // Some systems have limits beyond the one that they tell.
    if (::setrlimit(RLIMIT_NOFILE, &higher) == 0) limit = higher;
  }
  return static_cast<std::size_t>(std::min<rlim_t>(wanted, limit.rlim_cur));
}

}  // namespace home::reactor_internal
