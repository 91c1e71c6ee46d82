// ChunksTimeout: the items of a stream in vectors, none of them late.
//
//   ChunksTimeout(rows, 100, absl::Milliseconds(5))
//
// A chunk is given when it is full, when the stream ends, or when `duration` has
// passed since the chunk's first item came: an item waits so long at most, and
// no chunk is empty. A duration that is zero or negative gives what is ready
// together; an infinite one waits for full chunks. As a pipe: rows |
// ChunksTimeout(100, absl::Milliseconds(5)).
//
// Movable before the first poll. The first item must come under a TimerScope
// (sleep.h). Cancellation: the items of the chunk that is being filled are lost.
// Thread-safety: one thread at a time. Cost: one allocation a chunk, of the full
// size, and a Sleep (48 bytes) beside the stream; a timer is armed only while a
// chunk waits for more.

#ifndef HOME_TIMER_CHUNKS_TIMEOUT_H_
#define HOME_TIMER_CHUNKS_TIMEOUT_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"
#include "home/timer/sleep.h"

namespace home {

template <Stream S>
class [[nodiscard]] ChunksTimeoutStream {
 public:
  using Item = std::vector<StreamItem<S>>;
  static constexpr const char* kName = "ChunksTimeout";

  ChunksTimeoutStream(S stream, std::size_t size, absl::Duration duration)
      : stream_(std::move(stream)), size_(size), duration_(duration), sleep_(duration) {
    if (size == 0) Fatal("ChunksTimeout of no items");
  }

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    while (!ended_) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) break;
      if (!polled.value()) {
        ended_ = true;
        break;
      }
      if (chunk_.empty()) {
        chunk_.reserve(size_);
        sleep_.Reset(duration_);
      }
      chunk_.push_back(*std::move(polled.value()));
      if (chunk_.size() == size_) return TakeChunk();
    }
    if (chunk_.empty()) {
      if (ended_) return check_.End();
      return kPending;
    }
    if (ended_) return TakeChunk();
    // Without a turn: a stream that used up its budget can't hold back the deadline.
    Context unlimited(cx.waker());
    if (sleep_.Poll(unlimited).pending()) return kPending;
    return TakeChunk();
  }

 private:
  std::optional<Item> TakeChunk() {
    // The deadline means nothing any more; its waker should not linger.
    sleep_.Reset(absl::InfiniteDuration());
    return std::exchange(chunk_, Item());
  }

  [[no_unique_address]]
  internal::StreamCheck<ChunksTimeoutStream, internal::AfterEnd::kPoll> check_;
  S stream_;
  std::size_t size_;
  absl::Duration duration_;
  Sleep sleep_;
  Item chunk_;
  bool ended_ = false;
};

// Vectors of at most `size` items, whose first has waited for `duration` at most.
// A size of zero is a fatal mistake. May be polled after its end.
template <Stream S>
ChunksTimeoutStream<S> ChunksTimeout(S stream, std::size_t size, absl::Duration duration) {
  return ChunksTimeoutStream<S>(std::move(stream), size, duration);
}
inline auto ChunksTimeout(std::size_t size, absl::Duration duration) {
  return Pipe(
      [size, duration](auto stream) { return ChunksTimeout(std::move(stream), size, duration); });
}

}  // namespace home

#endif  // HOME_TIMER_CHUNKS_TIMEOUT_H_
