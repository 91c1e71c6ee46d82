// Chunks: the items of a stream in vectors.
//
//   Chunks(rows, 100)      vectors of 100 rows, and what is left at the end
//
// A chunk is given when it is full or the stream ends, however long that takes:
// home/timer/chunks_timeout.h has one that is in time. As a pipe: rows |
// Chunks(100).
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost: one
// allocation a chunk, of the full size. Cancellation: the items of the chunk that
// is being filled are lost.

#ifndef HOME_FUTURE_STREAM_CHUNKS_H_
#define HOME_FUTURE_STREAM_CHUNKS_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "home/future/fatal.h"
#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

template <Stream S>
class [[nodiscard]] ChunksStream {
 public:
  using Item = std::vector<StreamItem<S>>;
  static constexpr const char* kName = "Chunks";

  ChunksStream(S stream, std::size_t size) : stream_(std::move(stream)), size_(size) {
    if (size == 0) Fatal("Chunks of no items");
  }

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    while (!ended_) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) return kPending;
      if (!polled.value()) {
        ended_ = true;
        break;
      }
      if (chunk_.empty()) chunk_.reserve(size_);
      chunk_.push_back(*std::move(polled.value()));
      if (chunk_.size() == size_) return std::optional<Item>(std::exchange(chunk_, Item()));
    }
    if (chunk_.empty()) return check_.End();
    return std::optional<Item>(std::exchange(chunk_, Item()));
  }

 private:
  [[no_unique_address]] internal::StreamCheck<ChunksStream, internal::AfterEnd::kPoll> check_;
  S stream_;
  std::size_t size_;
  Item chunk_;
  bool ended_ = false;
};

// Vectors of `size` items; the last may be shorter, none is empty. A size of
// zero is a fatal mistake. May be polled after its end.
template <Stream S>
ChunksStream<S> Chunks(S stream, std::size_t size) {
  return ChunksStream<S>(std::move(stream), size);
}
inline auto Chunks(std::size_t size) {
  return Pipe([size](auto stream) { return Chunks(std::move(stream), size); });
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_CHUNKS_H_
