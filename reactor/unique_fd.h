// UniqueFd: owns a descriptor and closes it.
//
// On Windows a descriptor is the number of a handle: of a file, a socket, an event. (Handles
// have 32 bits that count, so that an int holds any; INVALID_HANDLE_VALUE and INVALID_SOCKET
// are -1.) It is not one of the C library's.
//
// Thread-safety: a plain value. Cost: none beyond close().

#ifndef HOME_REACTOR_UNIQUE_FD_H_
#define HOME_REACTOR_UNIQUE_FD_H_

#include <utility>

namespace home {

namespace reactor_internal {
// Closes it, once: on Linux the descriptor is gone even after EINTR, and its number may
// already be somebody else's.
void CloseDescriptor(int fd);
}  // namespace reactor_internal

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }

  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd) reactor_internal::CloseDescriptor(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace home

#endif  // HOME_REACTOR_UNIQUE_FD_H_
