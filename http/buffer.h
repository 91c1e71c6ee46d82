// Buffer: bytes that come in at one end and go out at the other, in one piece
// of memory that a connection keeps from request to request.
//
//   absl::Span<char> space = buffer.Prepare(4096);   // read() goes here
//   buffer.Commit(n);
//   Use(buffer.readable());
//   buffer.Consume(n);
//
//   memory:  [ consumed | readable | free ]
//            0        begin_     end_   capacity_
//
// Prepare() and Append() may move the readable bytes; nothing else does. Memory
// is not zeroed first.
//
// Thread-safety: one thread at a time. Cost: growth doubles, Consume() of all
// bytes starts again at the front for free.

#ifndef HOME_HTTP_BUFFER_H_
#define HOME_HTTP_BUFFER_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace home::http {

class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] absl::string_view readable() const {
    return absl::string_view(memory_.get() + begin_, end_ - begin_);
  }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Bytes that Prepare() can hand out without moving anything.
  [[nodiscard]] std::size_t free_space() const { return capacity_ - end_; }

  // At least `size` bytes of free space after the readable bytes; all of the
  // free space there is.
  absl::Span<char> Prepare(std::size_t size) {
    if (free_space() < size) MakeRoom(size);
    return absl::Span<char>(memory_.get() + end_, free_space());
  }
  // The first `size` bytes of the free space are readable now.
  void Commit(std::size_t size) {
    assert(size <= free_space());
    end_ += size;
  }
  // Drops bytes from the front.
  void Consume(std::size_t size) {
    assert(size <= this->size());
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops bytes from the front, but leaves the others and their memory where
  // they are until the next Prepare(), also when none remain.
  void ConsumeInPlace(std::size_t size) {
    assert(size <= this->size());
    begin_ += size;
  }
  void Append(absl::string_view bytes) {
    if (free_space() < bytes.size()) MakeRoom(bytes.size());
    if (!bytes.empty()) std::memcpy(memory_.get() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  void Clear() { begin_ = end_ = 0; }
  // Where the readable bytes begin, for Rewind().
  [[nodiscard]] std::size_t Mark() const { return begin_; }
  // Makes the memory from `mark` on free again, and leaves what lies before it
  // in place. Only when empty, and if nothing was moved since Mark().
  void Rewind(std::size_t mark) {
    assert(empty() && mark <= begin_);
    begin_ = end_ = mark;
  }
  // Gives the memory back. Only when empty.
  void Release() {
    assert(empty());
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
  }

 private:
  void MakeRoom(std::size_t size) {
    const std::size_t used = this->size();
    if (capacity_ - used >= size) {
      std::memmove(memory_.get(), memory_.get() + begin_, used);
    } else {
      std::size_t capacity = std::max<std::size_t>(capacity_ * 2, kMinimum);
      while (capacity - used < size) capacity *= 2;
      std::unique_ptr<char[]> memory(new char[capacity]);
      if (used != 0) std::memcpy(memory.get(), memory_.get() + begin_, used);
      memory_ = std::move(memory);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  static constexpr std::size_t kMinimum = 4096;

  std::unique_ptr<char[]> memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace home::http

#endif  // HOME_HTTP_BUFFER_H_
