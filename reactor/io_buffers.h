// IoBufferPool: buffers that connections share, each taken when data are there to fill it; and
// IoChunk, one that was filled, which goes back when it is dropped.
//
//   IoBufferPool pool = IoBufferPool::Create(reactor.io(), 256, 4096).value();
//   IoRecvSource source = IoReceiveAll(socket, pool);          // io_source.h
//
// A thousand connections that wait so need no thousand buffers. Of a socket that io_uring has the
// kernel picks them itself, from a ring in shared memory (since Linux 6.0); otherwise the engine
// does, when it tries to receive.
//
// Whoever finds the pool empty waits for the next buffer that comes back, and all who wait try
// then: one of them may find nothing to receive and need none. So a pool that is too small
// costs time and loses nothing.
//
// Thread-safety: a pool full; a chunk is a plain value. Cost: a lock to take one and to give it
// back; memory for all from the beginning to the end of the last handle, source and chunk.

#ifndef HOME_REACTOR_IO_BUFFERS_H_
#define HOME_REACTOR_IO_BUFFERS_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home::reactor_internal {

class IoEngine;
struct IoRequest;

// The buffers of a pool. What is here an engine picks from by Take(); one whose kernel picks
// derives from it.
class IoBufferGroup {
 public:
  static constexpr unsigned kMostBuffers = 32'768;
  // What kernel_id() is if the kernel knows nothing of it.
  static constexpr int kOurs = -1;

  // Somebody who found none.
  struct Waiter {
    Waker waker;
    Waiter* next = nullptr;
    Waiter* previous = nullptr;
    bool linked = false;
  };

  // `bytes`: room for all.
  IoBufferGroup(const IoEngine* engine, std::unique_ptr<char[]> bytes, unsigned count,
                std::size_t size);
  IoBufferGroup(const IoBufferGroup&) = delete;
  IoBufferGroup& operator=(const IoBufferGroup&) = delete;
  virtual ~IoBufferGroup() = default;

  const IoEngine* engine() const { return engine_; }
  unsigned count() const { return count_; }
  std::size_t buffer_size() const { return size_; }
  char* data(int buffer) const { return bytes_.get() + static_cast<std::size_t>(buffer) * size_; }
  // The number under which the kernel picks from it, or kOurs.
  virtual int kernel_id() const { return kOurs; }

  // One of ours; negative: there is none.
  int Take();
  // The kernel has taken one.
  void Taken();
  // It comes back. Collects who waits.
  void Give(int buffer, WakeList& wakes);

  // Has the waker woken when one comes back. False: there is one already.
  bool Await(Waiter& waiter, const Waker& waker);
  void Forget(Waiter& waiter);

 protected:
  // Makes it one to be taken. Under the lock.
  virtual void Put(int buffer) { free_.push_back(buffer); }

 private:
  void Unlink(Waiter& waiter);

  const IoEngine* const engine_;  // only to be compared
  const std::unique_ptr<char[]> bytes_;
  const unsigned count_;
  const std::size_t size_;
  // Guards what is below, and the links and wakers of who waits.
  std::mutex mutex_;
  std::vector<int> free_;
  unsigned available_;
  Waiter* first_waiter_ = nullptr;
};

}  // namespace home::reactor_internal

namespace home {

class IoBufferPool {
 public:
  // `count` buffers, at most 32,768, of `size` bytes each, for sockets that are attached to
  // `engine`. kInvalidArgument or kResourceExhausted if that can not be.
  static absl::StatusOr<IoBufferPool> Create(
      const std::shared_ptr<reactor_internal::IoEngine>& engine, unsigned count, std::size_t size);

  // For sources.
  const std::shared_ptr<reactor_internal::IoBufferGroup>& group() const { return group_; }

 private:
  explicit IoBufferPool(std::shared_ptr<reactor_internal::IoBufferGroup> group)
      : group_(std::move(group)) {}

  std::shared_ptr<reactor_internal::IoBufferGroup> group_;
};

// Bytes that were received, in a buffer of a pool. An IoBuffer: it can be sent as it is.
class IoChunk {
 public:
  IoChunk(std::shared_ptr<reactor_internal::IoBufferGroup> group, int buffer, std::size_t size)
      : group_(std::move(group)), buffer_(buffer), size_(size) {}
  IoChunk(IoChunk&& other) noexcept
      : group_(std::move(other.group_)), buffer_(other.buffer_), size_(other.size_) {}
  IoChunk& operator=(IoChunk&& other) noexcept {
    std::swap(group_, other.group_);
    std::swap(buffer_, other.buffer_);
    std::swap(size_, other.size_);
    return *this;
  }
  // Gives the buffer back, and wakes who waited for one.
  ~IoChunk() {
    if (group_ == nullptr) return;
    WakeList wakes;
    group_->Give(buffer_, wakes);
    wakes.WakeAll();
  }

  char* data() const { return group_->data(buffer_); }
  std::size_t size() const { return size_; }
  absl::string_view view() const { return absl::string_view(data(), size_); }

 private:
  std::shared_ptr<reactor_internal::IoBufferGroup> group_;
  int buffer_;
  std::size_t size_;
};

}  // namespace home

#endif  // HOME_REACTOR_IO_BUFFERS_H_
