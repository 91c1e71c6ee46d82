// The fixture of the conformance suite of Poller, and what its tests are made of.
//
// The suite is about what every Poller does (poller.h), whichever system it is
// made from. Its tests lie in poller_conformance_test.cc (edges, registration,
// waiting), poller_conditions_test.cc (hang-ups, errors, priority: what is
// reported when) and poller_threads_test.cc (several threads, fork); a back end
// joins by a line in the list at the end of the first.

#ifndef HOME_REACTOR_POLLER_TESTING_H_
#define HOME_REACTOR_POLLER_TESTING_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "home/reactor/poller.h"
#include "home/reactor/ready.h"
#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

// No test waits longer for something that must happen.
inline constexpr std::int64_t kHangGuard = 60'000'000'000;

struct PollerBackend {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Poller>>()> create;
};

struct FdPair {
  UniqueFd a;
  UniqueFd b;
};

// `a` reads what `b` writes.
inline FdPair MakePipe() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline FdPair MakeSocketPair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline UniqueFd MakeTcpSocket() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(fd);
  return fd;
}

// A listening TCP socket on a port of the system's choice.
struct TcpListenerFd {
  TcpListenerFd() : fd(MakeTcpSocket()) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd.get(), Address(), size), 0);
    EXPECT_EQ(::getsockname(fd.get(), Address(), &size), 0);
    EXPECT_EQ(::listen(fd.get(), 16), 0);
  }

  sockaddr* Address() { return reinterpret_cast<sockaddr*>(&address); }
  // Starts to connect; to a listener of this machine that is done at once.
  int Connect(const UniqueFd& client) {
    return ::connect(client.get(), Address(), sizeof(address));
  }

  UniqueFd fd;
  sockaddr_in address = {};
};

// Two ends of a TCP connection.
inline FdPair MakeTcpPair() {
  TcpListenerFd listener;
  FdPair pair{MakeTcpSocket(), UniqueFd()};
  // Blocks until it is connected: the other end is then in the backlog.
  const int flags = ::fcntl(pair.a.get(), F_GETFL);
  EXPECT_EQ(::fcntl(pair.a.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  EXPECT_EQ(listener.Connect(pair.a), 0);
  EXPECT_EQ(::fcntl(pair.a.get(), F_SETFL, flags), 0);
  pair.b = UniqueFd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_TRUE(pair.b);
  return pair;
}

inline void WriteByte(const UniqueFd& fd) { EXPECT_EQ(::write(fd.get(), "x", 1), 1); }

class PollerTest : public ::testing::TestWithParam<PollerBackend> {
 protected:
  using Events = std::map<std::uint64_t, ReadySet>;

  PollerTest() : poller_(GetParam().create().value()) {}

  // All that is reported now, by key; or what comes first, if `timeout_ns` is not 0.
  Events Wait(std::int64_t timeout_ns = 0) {
    std::array<Poller::Event, 64> events;
    const std::size_t count = poller_->Wait(timeout_ns, absl::MakeSpan(events));
    Events result;
    for (std::size_t i = 0; i < count; ++i) {
      result[events[i].key] = result[events[i].key] | events[i].ready;
    }
    return result;
  }

  // Waits until all of `wanted` was reported for `key`, in one event or several, and
  // returns all that was. What happens to a connection may come in pieces.
  ReadySet WaitFor(std::uint64_t key, ReadySet wanted) {
    ReadySet seen;
    while (!((seen & wanted) == wanted)) {
      const Events events = Wait(kHangGuard);
      if (events.empty()) {
        ADD_FAILURE() << "waited in vain; seen of key " << key << ": " << int{seen.bits()};
        break;
      }
      if (const auto event = events.find(key); event != events.end()) seen = seen | event->second;
    }
    return seen;
  }

  std::unique_ptr<Poller> poller_;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_POLLER_TESTING_H_
