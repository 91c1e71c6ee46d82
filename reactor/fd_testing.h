// Descriptors for tests of the reactor: pipes, sockets, connections, all nonblocking. One
// source file makes them for each kind of system.

#ifndef HOME_REACTOR_FD_TESTING_H_
#define HOME_REACTOR_FD_TESTING_H_

#include <cstddef>
#include <memory>

#include "home/reactor/unique_fd.h"

struct sockaddr;
struct sockaddr_in;  // NOLINT(readability-identifier-naming): the name is the system's.

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
// A socket for datagrams, on a port of this machine that the system chose, and its address.
UniqueFd MakeUdpSocket(sockaddr_in* address);

// A listening TCP socket on a port of the system's choice.
class TcpListenerFd {
 public:
  TcpListenerFd();
  ~TcpListenerFd();

  // Its address, as the system has it.
  [[nodiscard]] sockaddr* Address() const;
  [[nodiscard]] unsigned AddressSize() const;
  // Starts to connect; to a listener of this machine that is done at once.
  int Connect(const UniqueFd& client) const;
  // Returns when it is connected.
  void ConnectNow(const UniqueFd& client) const;
  // A connection that is there.
  UniqueFd Accept() const;
  // Anew, with room for so many that were not accepted.
  void Listen(int backlog) const;

  UniqueFd fd;

 private:
  const std::unique_ptr<sockaddr_in> address_;
};

void WriteByte(const UniqueFd& fd);
// One that is out of band.
void WriteUrgentByte(const UniqueFd& fd);
// As read(2) and write(2).
std::ptrdiff_t ReadSome(const UniqueFd& fd, char* to, std::size_t size);
std::ptrdiff_t WriteSome(const UniqueFd& fd, const char* from, std::size_t size);

// Receives what is there, if anything, whether or not the socket blocks.
std::ptrdiff_t ReceiveNow(int fd, char* to, std::size_t size);

// Whether the number is a descriptor's, and whether a child process would inherit it.
bool IsOpen(int fd);
bool IsInherited(int fd);
// How many descriptors the process has.
std::size_t OpenDescriptors();
// Another descriptor of the same.
UniqueFd Duplicate(int fd);
// One that has no readiness.
UniqueFd OpenRegularFile();
// Nothing more will be sent.
void CloseWriting(const UniqueFd& fd);
// Closes a connection so that its peer sees a reset.
void CloseByReset(UniqueFd& fd);
// Whether the close of one end of MakeSocketPair() ends both directions of the other, which TCP
// cannot know.
bool ClosingEndsBothDirections();

// A descriptor that is writable, and readable when it has been rung.
class Bell {
 public:
  Bell() : ends_(MakeSocketPair()) {}

  [[nodiscard]] int get() const { return ends_.a.get(); }
  void Ring() const { WriteByte(ends_.b); }

 private:
  FdPair ends_;
};

// How often to repeat what makes descriptors, where `rounds` would be good: less where it takes
// long.
int Rounds(int rounds);

// Has the system allow the process `wanted` descriptors, or as many as it will, and returns
// that.
std::size_t AllowDescriptors(std::size_t wanted);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_FD_TESTING_H_
