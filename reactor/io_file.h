// IoFile: a descriptor that was given to a reactor's completion layer (io.h), as a
// handle that is copied freely.
//
//   absl::StatusOr<IoFile> file = IoFile::Attach(reactor.io(), std::move(fd));
//
// The descriptor is closed with the last handle. Every operation in flight has one, so
// that a number is never given out again while the kernel may still use it.
//
// Thread-safety: a handle is a plain value; different handles on different threads at
// once. Cost: one relaxed RMW a copy.

#ifndef HOME_REACTOR_IO_FILE_H_
#define HOME_REACTOR_IO_FILE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/unique_fd.h"

namespace home {

using IoEngine = reactor_internal::IoEngine;

class IoFile {
 public:
  // Refers to nothing; only for assigning to.
  IoFile() = default;
  // Takes over an open file, socket, pipe or whatever else there is; closes it on an error.
  // The engine makes it blocking or nonblocking, as it needs it: nobody else should use it.
  // On Windows, it was opened for overlapped operations, and belongs to one reactor until it is
  // closed: it can't be attached once more. kInvalidArgument if it can't be attached.
  static absl::StatusOr<IoFile> Attach(const std::shared_ptr<IoEngine>& engine, UniqueFd fd) {
    absl::StatusOr<std::unique_ptr<State>> state = engine->Attach(std::move(fd));
    if (!state.ok()) return state.status();
    return IoFile(state->release());
  }

  // relaxed: it is made from one that exists.
  IoFile(const IoFile& other) : state_(other.state_) {
    if (state_ != nullptr) state_->handles.fetch_add(1, std::memory_order_relaxed);
  }
  IoFile(IoFile&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  IoFile& operator=(IoFile other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~IoFile() {
    // acq_rel: what everybody did with it is before its end.
    if (state_ != nullptr && state_->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete state_;
    }
  }

  // False for one that refers to nothing.
  explicit operator bool() const { return state_ != nullptr; }
  int fd() const { return state_->fd.get(); }
  const std::shared_ptr<IoEngine>& engine() const { return state_->engine; }

  // The descriptor, no longer attached, if this is the only handle. It stays blocking or
  // nonblocking as it is.
  std::optional<UniqueFd> Detach() && {
    // acquire: pairs with the release of those who gave up theirs.
    if (state_->handles.load(std::memory_order_acquire) != 1) return std::nullopt;
    std::unique_ptr<State> state(std::exchange(state_, nullptr));
    // Closed, or not, after the engine has ceased to watch it.
    std::optional<UniqueFd> fd(std::move(state->fd));
    state.reset();
    return fd;
  }

  // For operations.
  reactor_internal::IoFileState* state() const { return state_; }

 private:
  using State = reactor_internal::IoFileState;

  explicit IoFile(State* state) : state_(state) {}

  State* state_ = nullptr;
};

}  // namespace home

#endif  // HOME_REACTOR_IO_FILE_H_
