// Helpers for tests of streams: sources, and polls for one item.

#ifndef HOME_FUTURE_STREAM_TESTING_H_
#define HOME_FUTURE_STREAM_TESTING_H_

#include <deque>
#include <optional>
#include <utility>

#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/future/waker.h"

namespace home::testing {

// Polls a stream once; the answer is that of Next().
template <Stream S>
Poll<std::optional<StreamItem<S>>> PollNextOnce(S& stream) {
  auto next = Next(stream);
  return PollOnce(next);
}
template <Stream S>
Poll<std::optional<StreamItem<S>>> PollNextOnce(S& stream, CountingWaker& counter) {
  auto next = Next(stream);
  return PollOnce(next, counter);
}

// The next item of a stream that goes with it, and with it what the stream has registered.
template <Stream S>
class [[nodiscard]] OwningNext {
 public:
  using Output = std::optional<StreamItem<S>>;

  explicit OwningNext(S stream) : stream_(std::move(stream)) {}
  home::Poll<Output> Poll(Context& cx) { return stream_.PollNext(cx); }

 private:
  S stream_;
};

// Gives what it is told to. Must outlive its one stream.
class Source {
 public:
  class Items {
   public:
    using Item = int;
    explicit Items(Source& source) : source_(&source) {}
    Items(Items&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
    Items& operator=(Items&&) = delete;
    ~Items() {
      if (source_ != nullptr) source_->waker_ = Waker();
    }
    Poll<std::optional<int>> PollNext(Context& cx) {
      ++source_->polls_;
      if (!source_->items_.empty()) {
        std::optional<int> item = source_->items_.front();
        source_->items_.pop_front();
        return item;
      }
      if (source_->ended_) return std::optional<int>();
      UpdateWaker(source_->waker_, cx.waker());
      return kPending;
    }

   private:
    Source* source_;
  };

  Source() = default;
  [[nodiscard]] Items Stream() { return Items(*this); }
  void Give(int item) {
    items_.push_back(item);
    std::move(waker_).Wake();
  }
  void End() {
    ended_ = true;
    std::move(waker_).Wake();
  }
  [[nodiscard]] bool has_waker() const { return static_cast<bool>(waker_); }
  [[nodiscard]] int polls() const { return polls_; }

 private:
  std::deque<int> items_;
  bool ended_ = false;
  int polls_ = 0;
  Waker waker_;
};

// Gives 1 to `items`, and waits before each but the first, after it has woken itself.
class Ticks {
 public:
  using Item = int;

  explicit Ticks(int items) : items_(items) {}
  Poll<std::optional<int>> PollNext(Context& cx) {
    if (given_ == items_) return std::optional<int>();
    waits_ = !waits_;
    if (!waits_) return std::optional<int>(++given_);
    cx.waker().WakeByRef();
    return kPending;
  }

 private:
  int items_;
  int given_ = 0;
  bool waits_ = true;  // the next poll does not
};

}  // namespace home::testing

#endif  // HOME_FUTURE_STREAM_TESTING_H_
