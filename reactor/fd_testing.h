// Descriptors for tests of the reactor: pipes, sockets, connections, all nonblocking. One
// source file makes them for each kind of system.

#ifndef HOME_REACTOR_FD_TESTING_H_
#define HOME_REACTOR_FD_TESTING_H_

#include <cstddef>

#include "home/reactor/unique_fd.h"

namespace home::reactor_internal {

struct FdPair {
  UniqueFd a;
  UniqueFd b;
};

// `a` reads what `b` writes.
FdPair MakePipe();
// The same in both directions.
FdPair MakeSocketPair();
// Two ends of a TCP connection.
FdPair MakeTcpPair();
// Not connected.
UniqueFd MakeTcpSocket();

void WriteByte(const UniqueFd& fd);

// A descriptor that is writable, and readable when it has been rung.
class Bell {
 public:
  Bell() : ends_(MakeSocketPair()) {}

  [[nodiscard]] int get() const { return ends_.a.get(); }
  void Ring() const { WriteByte(ends_.b); }

 private:
  FdPair ends_;
};

// Has the system allow the process `wanted` descriptors, or as many as it will, and returns
// that.
std::size_t AllowDescriptors(std::size_t wanted);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_FD_TESTING_H_
