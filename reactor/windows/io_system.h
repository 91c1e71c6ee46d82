// What the completion layer's declarations take from the system: addresses, messages, parts of
// buffers, modes and flags of files. One header a system, all under this name.
//
// Winsock has the addresses, the C library the modes and flags. The rest POSIX systems have and
// Windows lacks, by their names for it.

#ifndef HOME_REACTOR_WINDOWS_IO_SYSTEM_H_
#define HOME_REACTOR_WINDOWS_IO_SYSTEM_H_

#include <winsock2.h>
//
#include <fcntl.h>
#include <mswsock.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <ws2tcpip.h>

#include <cstddef>

// Macros of windows.h by names that others use.
#undef ERROR
#undef Yield
#undef max
#undef min

namespace home::reactor_internal {

struct iovec {
  void* iov_base;
  std::size_t iov_len;
};

struct msghdr {
  void* msg_name;
  socklen_t msg_namelen;
  iovec* msg_iov;
  std::size_t msg_iovlen;
  void* msg_control;  // WSACMSGHDRs
  std::size_t msg_controllen;
  int msg_flags;
};

// Paths are relative to the current folder.
inline constexpr int AT_FDCWD = -100;
inline constexpr int AT_SYMLINK_NOFOLLOW = 0x100;

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_WINDOWS_IO_SYSTEM_H_
