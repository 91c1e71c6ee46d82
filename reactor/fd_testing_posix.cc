#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

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

FdPair MakeTcpPair() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(listener.get(), generic, size), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
  // Blocks until it is connected: the other end is then in the backlog.
  EXPECT_EQ(::connect(client.get(), generic, size), 0);
  return FdPair{Nonblocking(client.Release()),
                Nonblocking(::accept(listener.get(), nullptr, nullptr))};
}

void WriteByte(const UniqueFd& fd) { EXPECT_EQ(::write(fd.get(), "x", 1), 1); }

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
