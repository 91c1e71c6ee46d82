// UniqueFd: owns a POSIX descriptor and closes it.
//
// Thread-safety: a plain value. Cost: none beyond close().

#ifndef HOME_REACTOR_UNIQUE_FD_H_
#define HOME_REACTOR_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace home {

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

  // close() is never repeated: on Linux the descriptor is gone even after
  // EINTR, and its number may already be somebody else's.
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace home

#endif  // HOME_REACTOR_UNIQUE_FD_H_
