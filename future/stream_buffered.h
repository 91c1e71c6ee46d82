// Buffered, BufferedUnordered and ForEachConcurrent: several futures of a stream
// at once.
//
//   urls | Map(Fetch) | Buffered(8)             the pages in the order of the urls
//   urls | Map(Fetch) | BufferedUnordered(8)    the pages as they come
//   urls | ForEachConcurrent(8, Download)       a future of nothing
//
// At most so many futures are under way; each is begun as soon as there is room
// and the stream has it. Buffered counts the values that wait for an older one as
// under way, so it holds no more than its limit.
//
// A poll polls the futures that were woken and no others (futures_unordered.h),
// and the stream if there is room. If a future throws, the exception comes out of
// the poll: a Buffered loses that value alone and may be polled again; a
// ForEachConcurrent cancels the others first and is finished.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost: one
// block from the recycling cache a future, and one for all; Buffered has a second one
// for all, of the general allocator, that holds the values that wait. Cancellation:
// all futures under way are cancelled; the values that wait are lost.

#ifndef HOME_FUTURE_STREAM_BUFFERED_H_
#define HOME_FUTURE_STREAM_BUFFERED_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/fatal.h"
#include "home/future/future.h"
#include "home/future/futures_unordered.h"
#include "home/future/pipe.h"
#include "home/future/poll_check.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

// `Set` is FuturesOrdered or FuturesUnordered of the stream's futures.
template <Stream S, typename Set>
  requires Future<StreamItem<S>>
class [[nodiscard]] BufferedStream {
 public:
  using Item = typename Set::Item;
  static constexpr const char* kName =
      std::is_same_v<Set, FuturesUnordered<StreamItem<S>>> ? "BufferedUnordered" : "Buffered";

  BufferedStream(S stream, std::size_t limit) : stream_(std::move(stream)), limit_(limit) {
    if (limit == 0) Fatal("Buffered with room for no future");
  }

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    while (true) {
      while (!ended_ && set_.size() < limit_) {
        auto polled = stream_.PollNext(cx);
        if (polled.pending()) break;
        ended_ = !polled.value().has_value();
        if (!ended_) set_.Push(*std::move(polled.value()));
      }
      if (set_.empty()) {
        if (ended_) return check_.End();
        return kPending;
      }
      auto polled = set_.PollNext(cx);
      // No value, because its future threw: there is room again.
      if (polled.ready() && !polled.value().has_value()) continue;
      return polled;
    }
  }

 private:
  [[no_unique_address]] internal::StreamCheck<BufferedStream, internal::AfterEnd::kPoll> check_;
  S stream_;
  std::size_t limit_;
  Set set_;
  bool ended_ = false;  // the stream, not the futures
};

// What the futures that `stream` gives yield, in the stream's order; at most
// `limit` are under way. A limit of zero is a fatal mistake. May be polled after
// its end.
template <Stream S>
BufferedStream<S, FuturesOrdered<StreamItem<S>>> Buffered(S stream, std::size_t limit) {
  return BufferedStream<S, FuturesOrdered<StreamItem<S>>>(std::move(stream), limit);
}
inline auto Buffered(std::size_t limit) {
  return Pipe([limit](auto stream) { return Buffered(std::move(stream), limit); });
}

// The same, in the order in which they are ready.
template <Stream S>
BufferedStream<S, FuturesUnordered<StreamItem<S>>> BufferedUnordered(S stream, std::size_t limit) {
  return BufferedStream<S, FuturesUnordered<StreamItem<S>>>(std::move(stream), limit);
}
inline auto BufferedUnordered(std::size_t limit) {
  return Pipe([limit](auto stream) { return BufferedUnordered(std::move(stream), limit); });
}

template <Stream S, typename Fn>
class [[nodiscard]] ForEachConcurrentFuture {
  using Step = std::invoke_result_t<Fn&, StreamItem<S>>;
  static_assert(Future<Step>, "ForEachConcurrent takes a function that returns a future");
  static_assert(std::is_void_v<FutureOutput<Step>>,
                "nobody would see the value: see Buffered, or let the function deal with it");

 public:
  using Output = void;
  static constexpr const char* kName = "ForEachConcurrent";

  ForEachConcurrentFuture(S stream, std::size_t limit, Fn fn)
      : stream_(std::move(stream)), limit_(limit), fn_(std::move(fn)) {
    if (limit == 0) Fatal("ForEachConcurrent with room for no future");
  }

  home::Poll<void> Poll(Context& cx) {
    check_.Begin();
    CancelOnUnwind guard(set_);
    while (true) {
      while (!ended_ && set_.size() < limit_) {
        auto polled = stream_.PollNext(cx);
        if (polled.pending()) break;
        ended_ = !polled.value().has_value();
        if (!ended_) set_.Push(std::invoke(fn_, *std::move(polled.value())));
      }
      if (set_.empty()) break;
      auto polled = set_.PollNext(cx);
      if (polled.pending()) break;
    }
    guard.Release();
    if (!ended_ || !set_.empty()) return check_.Pending();
    return kReady;
  }

 private:
  using Set = FuturesUnordered<Step>;

  class CancelOnUnwind {
   public:
    explicit CancelOnUnwind(Set& set) : set_(&set) {}
    CancelOnUnwind(const CancelOnUnwind&) = delete;
    CancelOnUnwind& operator=(const CancelOnUnwind&) = delete;
    ~CancelOnUnwind() {
      if (set_ != nullptr) set_->Clear();
    }
    void Release() { set_ = nullptr; }

   private:
    Set* set_;
  };

  [[no_unique_address]] internal::PollCheck<ForEachConcurrentFuture> check_;
  S stream_;
  std::size_t limit_;
  // Outlives its futures, which may be coroutines of a lambda.
  [[no_unique_address]] Fn fn_;
  Set set_;
  bool ended_ = false;  // the stream, not the futures
};

// A future that has awaited fn(item) for every item, at most `limit` at once; fn
// returns a future of void. A limit of zero is a fatal mistake.
template <Stream S, typename Fn>
ForEachConcurrentFuture<S, std::decay_t<Fn>> ForEachConcurrent(S stream, std::size_t limit,
                                                               Fn&& fn) {
  return ForEachConcurrentFuture<S, std::decay_t<Fn>>(std::move(stream), limit,
                                                      std::forward<Fn>(fn));
}
template <typename Fn>
auto ForEachConcurrent(std::size_t limit, Fn&& fn) {
  return Pipe([limit, kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return ForEachConcurrent(std::move(stream), limit, std::move(kept));
  });
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_BUFFERED_H_
