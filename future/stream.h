// The Stream concept: values that come one after another, each after some polls.
//
//   auto lines = Lines(socket);
//   std::optional<std::string> line = co_await Next(lines);
//   while (line.has_value()) {
//     Use(*line);
//     line = co_await Next(lines);
//   }
//
// A stream is to a range what a future is to a value, and keeps the same
// contract (future.h): it is lazy; PollNext() returns Ready with the next item
// or with nullopt at the end, or Pending after it has arranged a wake; between
// its first poll and its end it must not move. Polling after the end is a
// programming error, unless a stream says otherwise. Debug builds die of either
// (stream_check.h). Destroying a stream
// cancels it, completely and synchronously.
//
// An item that is a reference is a std::reference_wrapper, because an optional
// holds no reference. The model is that of Rust's futures::Stream.

#ifndef HOME_FUTURE_STREAM_H_
#define HOME_FUTURE_STREAM_H_

#include <concepts>
#include <optional>
#include <type_traits>

#include "home/future/context.h"
#include "home/future/poll.h"

namespace home {

template <typename S>
concept Stream = requires(S& stream, Context& cx) {
  typename S::Item;
  { stream.PollNext(cx) } -> std::same_as<Poll<std::optional<typename S::Item>>>;
};

// The type of a stream's items.
template <typename S>
using StreamItem = typename std::remove_cvref_t<S>::Item;

// What Next() returns.
template <Stream S>
class [[nodiscard]] NextFuture {
 public:
  using Output = std::optional<StreamItem<S>>;

  explicit NextFuture(S& stream) noexcept : stream_(&stream) {}

  home::Poll<Output> Poll(Context& cx) { return stream_->PollNext(cx); }

 private:
  S* stream_;
};

// A future of the next item, or of nullopt at the end. It borrows the stream,
// which must outlive it. Thread-safety: one thread at a time. Cost: none beyond
// the stream's. Cancellation: dropping it loses nothing; the stream goes on from
// where it is at the next Next().
template <Stream S>
NextFuture<S> Next(S& stream) noexcept {
  return NextFuture<S>(stream);
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_H_
