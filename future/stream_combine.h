// Chain, Zip and Merge: one stream of several.
//
//   Chain(cached, fresh)      the items of the one, then those of the other
//   Zip(names, numbers)       tuples of the n-th items, until one stream ends
//   Merge(left, right)        the items of all, in the order in which they come
//
// As a pipe the first stream comes from the left: cached | Chain(fresh). Zip and
// Merge poll all that they wait for at each poll: right for a handful. The
// streams of a Merge take turns to be asked first, so that none starves another.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: all streams are dropped, and with a Zip the
// items that wait for their fellows.

#ifndef HOME_FUTURE_STREAM_COMBINE_H_
#define HOME_FUTURE_STREAM_COMBINE_H_

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

template <Stream First, Stream Second>
  requires std::is_same_v<StreamItem<First>, StreamItem<Second>>
class [[nodiscard]] ChainStream {
 public:
  using Item = StreamItem<First>;
  static constexpr const char* kName = "Chain";

  ChainStream(First first, Second second)
      : first_(std::in_place, std::move(first)), second_(std::move(second)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    if (first_) {
      auto polled = first_->PollNext(cx);
      if (polled.pending() || polled.value()) return polled;
      first_.reset();
    }
    auto polled = second_.PollNext(cx);
    check_.Note(polled);
    return polled;
  }

 private:
  [[no_unique_address]] internal::StreamCheck<ChainStream> check_;
  std::optional<First> first_;  // until its end
  Second second_;
};

// The items of `first`, which is destroyed at its end, then those of `second`.
template <Stream First, Stream Second>
ChainStream<First, Second> Chain(First first, Second second) {
  return ChainStream<First, Second>(std::move(first), std::move(second));
}
template <Stream Second>
auto Chain(Second second) {
  return Pipe([kept = std::move(second)](auto first) mutable {
    return Chain(std::move(first), std::move(kept));
  });
}

template <Stream... Ss>
class [[nodiscard]] ZipStream {
 public:
  using Item = std::tuple<StreamItem<Ss>...>;
  static constexpr const char* kName = "Zip";

  explicit ZipStream(Ss... streams) : streams_(std::move(streams)...) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    return PollAll(cx, std::index_sequence_for<Ss...>());
  }

 private:
  enum class Found { kItem, kPending, kEnd };

  template <std::size_t... kIndices>
  Poll<std::optional<Item>> PollAll(Context& cx, std::index_sequence<kIndices...>) {
    bool pending = false;
    bool ended = false;
    auto note = [&pending, &ended](Found found) {
      pending |= found == Found::kPending;
      ended |= found == Found::kEnd;
    };
    // Those behind one that has ended are not asked any more.
    ((ended ? void() : note(PollOne<kIndices>(cx))), ...);
    if (ended) {
      ((std::get<kIndices>(items_).reset()), ...);
      return check_.End();
    }
    if (pending) return kPending;
    std::optional<Item> item(std::in_place, *std::move(std::get<kIndices>(items_))...);
    ((std::get<kIndices>(items_).reset()), ...);
    return item;
  }

  template <std::size_t kIndex>
  Found PollOne(Context& cx) {
    auto& item = std::get<kIndex>(items_);
    if (item) return Found::kItem;
    auto polled = std::get<kIndex>(streams_).PollNext(cx);
    if (polled.pending()) return Found::kPending;
    if (!polled.value()) return Found::kEnd;
    item.emplace(*std::move(polled.value()));
    return Found::kItem;
  }

  [[no_unique_address]] internal::StreamCheck<ZipStream> check_;
  std::tuple<Ss...> streams_;
  std::tuple<std::optional<StreamItem<Ss>>...> items_;  // those that wait
};

// Tuples of one item of each stream. Ends when one ends; the items that the
// others gave for that tuple are lost.
template <Stream... Ss>
  requires(sizeof...(Ss) > 1)
ZipStream<Ss...> Zip(Ss... streams) {
  return ZipStream<Ss...>(std::move(streams)...);
}
template <Stream Second>
auto Zip(Second second) {
  return Pipe([kept = std::move(second)](auto first) mutable {
    return Zip(std::move(first), std::move(kept));
  });
}

template <Stream First, Stream... Rest>
  requires(std::is_same_v<StreamItem<First>, StreamItem<Rest>> && ...)
class [[nodiscard]] MergeStream {
 public:
  using Item = StreamItem<First>;
  static constexpr const char* kName = "Merge";

  explicit MergeStream(First first, Rest... rest)
      : streams_(std::make_optional(std::move(first)), std::make_optional(std::move(rest))...) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    std::optional<Item> item;
    bool all_ended = true;
    const std::size_t first = turn_;
    for (std::size_t i = 0; i < kCount && !item; ++i) {
      const std::size_t index = (first + i) % kCount;
      PollChild(index, cx, item, all_ended, std::make_index_sequence<kCount>());
      if (item) turn_ = (index + 1) % kCount;
    }
    if (item) return item;
    if (all_ended) return check_.End();
    return kPending;
  }

 private:
  static constexpr std::size_t kCount = 1 + sizeof...(Rest);

  template <std::size_t... kIndices>
  void PollChild(std::size_t index, Context& cx, std::optional<Item>& item, bool& all_ended,
                 std::index_sequence<kIndices...>) {
    ((index == kIndices ? PollOne(std::get<kIndices>(streams_), cx, item, all_ended) : void()),
     ...);
  }

  template <typename S>
  void PollOne(std::optional<S>& stream, Context& cx, std::optional<Item>& item, bool& all_ended) {
    if (!stream) return;
    auto polled = stream->PollNext(cx);
    if (polled.pending()) {
      all_ended = false;
    } else if (polled.value()) {
      item.emplace(*std::move(polled.value()));
    } else {
      stream.reset();
    }
  }

  [[no_unique_address]] internal::StreamCheck<MergeStream, internal::AfterEnd::kPoll> check_;
  std::tuple<std::optional<First>, std::optional<Rest>...> streams_;  // each until its end
  std::size_t turn_ = 0;                                              // who is asked first
};

// The items of all streams as they come. Ends when all have ended; each is
// destroyed at its own end. May be polled after its end.
template <Stream First, Stream... Rest>
  requires(sizeof...(Rest) > 0)
MergeStream<First, Rest...> Merge(First first, Rest... rest) {
  return MergeStream<First, Rest...>(std::move(first), std::move(rest)...);
}
template <Stream Second>
auto Merge(Second second) {
  return Pipe([kept = std::move(second)](auto first) mutable {
    return Merge(std::move(first), std::move(kept));
  });
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_COMBINE_H_
