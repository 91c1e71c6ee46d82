#include "home/reactor/io_buffers.h"

#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_request.h"

namespace home::reactor_internal {

IoBufferGroup::IoBufferGroup(const IoEngine* engine, std::unique_ptr<char[]> bytes, unsigned count,
                             std::size_t size)
    : engine_(engine), bytes_(std::move(bytes)), count_(count), size_(size), available_(count) {
  free_.reserve(count);
  for (unsigned i = count; i > 0; --i) free_.push_back(static_cast<int>(i) - 1);
}

int IoBufferGroup::Take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (free_.empty()) return -1;
  const int buffer = free_.back();
  free_.pop_back();
  --available_;
  return buffer;
}

void IoBufferGroup::Taken() {
  const std::lock_guard<std::mutex> lock(mutex_);
  --available_;
}

void IoBufferGroup::Give(int buffer, WakeList& wakes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Put(buffer);
  ++available_;
  while (Waiter* waiter = first_waiter_) {
    Unlink(*waiter);
    wakes.Push(std::move(waiter->waker));
  }
}

bool IoBufferGroup::Await(Waiter& waiter, const Waker& waker) {
  Waker fresh = waker.Clone();  // and what it replaces is dropped, outside of the lock
  const std::lock_guard<std::mutex> lock(mutex_);
  if (available_ > 0) return false;
  std::swap(waiter.waker, fresh);
  if (waiter.linked) return true;
  waiter.linked = true;
  waiter.previous = nullptr;
  waiter.next = first_waiter_;
  if (first_waiter_ != nullptr) first_waiter_->previous = &waiter;
  first_waiter_ = &waiter;
  return true;
}

void IoBufferGroup::Forget(Waiter& waiter) {
  Waker dropped;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiter.linked) Unlink(waiter);
  dropped = std::move(waiter.waker);
}

void IoBufferGroup::Unlink(Waiter& waiter) {
  (waiter.previous == nullptr ? first_waiter_ : waiter.previous->next) = waiter.next;
  if (waiter.next != nullptr) waiter.next->previous = waiter.previous;
  waiter.next = waiter.previous = nullptr;
  waiter.linked = false;
}

bool SelectBuffer(IoRequest& request) {
  request.selected = request.buffers->Take();
  if (request.selected < 0) return false;
  request.buffer = request.buffers->data(request.selected);
  request.size = request.buffers->buffer_size();
  return true;
}

}  // namespace home::reactor_internal

namespace home {

absl::StatusOr<IoBufferPool> IoBufferPool::Create(
    const std::shared_ptr<reactor_internal::IoEngine>& engine, unsigned count, std::size_t size) {
  constexpr std::size_t kLargest = std::numeric_limits<int>::max();
  if (count == 0 || count > reactor_internal::IoBufferGroup::kMostBuffers || size == 0 ||
      size > kLargest) {
    return absl::InvalidArgumentError(
        absl::StrCat("create a pool of ", count, " buffers of ", size, " bytes"));
  }
  std::unique_ptr<char[]> bytes(new (std::nothrow) char[count * size]);
  if (bytes == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("create a pool of ", count, " buffers of ", size, " bytes: no memory"));
  }
  return IoBufferPool(engine->CreateBuffers(std::move(bytes), count, size));
}

}  // namespace home
