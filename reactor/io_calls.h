// The system calls that differ between POSIX systems. One source file each implements them:
// io_calls_linux.cc, io_calls_macos.cc. All return -1 and set errno as system calls do.

#ifndef HOME_REACTOR_IO_CALLS_H_
#define HOME_REACTOR_IO_CALLS_H_

#include <sys/socket.h>

#include <cstdint>

#include "home/reactor/io_request.h"

namespace home::reactor_internal {

// The next connection, blocking and closed on exec.
int AcceptCall(int fd, sockaddr* address, socklen_t* size);
// Until it is on the disk.
int FlushCall(int fd, bool data_only);
int StatCall(const IoRequest& request);
// Of a descriptor of OpenIoTimer(): EAGAIN before its time.
int TimerCall(const IoRequest& request);
std::int64_t SpliceCall(const IoRequest& request);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_CALLS_H_
