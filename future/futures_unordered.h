// FuturesUnordered: a set of futures of one type, whose values come as they are
// ready. FuturesOrdered: the same, but the values come in the order in which the
// futures were pushed.
//
//   FuturesUnordered<Async<Page>> fetches;
//   for (const std::string& url : urls) fetches.Push(Fetch(url));
//   std::optional<Page> page = co_await Next(fetches);
//   while (page.has_value()) {
//     if (page->has_more()) fetches.Push(Fetch(page->next()));
//     page = co_await Next(fetches);
//   }
//
// Both are Streams (stream.h): Next() yields the next value, or nullopt while the
// set is empty; one may go on pushing after that, and poll again. A future of
// void yields std::monostate.
//
// A poll polls only those children that were woken, in the order of their wakes,
// and each at most twice; what is woken meanwhile waits for the next poll. A wake
// costs the same with 10 children and with 100,000. If a child throws, it is gone,
// and the exception leaves PollNext(); the others are untouched, and the set may be
// polled again (a FuturesOrdered skips the value).
//
// FuturesOrdered keeps the values that are early. It runs all of its futures at
// once: whoever wants a bound pushes only as many.
//
// Movable at any time. Pushing does not wake the task: push, then poll.
// Cancellation: dropping the set cancels the children that are left, in no
// particular order; values that were not taken are lost. Dropping a Next() loses
// nothing.
// Thread-safety: one thread at a time; the wakers that the children get may be
// used on any thread, also when the set is gone.
// Memory ordering: what precedes a wake happens before the poll of that child.
// Cost: one block a child from the recycling cache (frame_allocator.h), 56 bytes
// beside the future, kept as long as somebody holds a waker of it; one such block a
// set. FuturesOrdered has one block more, of the general allocator, with room for the
// values of at least 8 children, which doubles whenever that is not enough.

#ifndef HOME_FUTURE_FUTURES_UNORDERED_H_
#define HOME_FUTURE_FUTURES_UNORDERED_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "home/future/child_set.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/stream.h"

namespace home {

template <Future F>
class FuturesUnordered {
 public:
  using Item = internal::NonVoid<FutureOutput<F>>;

  FuturesUnordered() = default;
  FuturesUnordered(FuturesUnordered&&) = default;

  // Adds a future; the next poll of the set polls it.
  void Push(F future) { children_.Push(std::move(future), 0); }

  // The futures that are not finished.
  [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  // Cancels all of them.
  void Clear() noexcept { children_.Clear(); }

  // The value of a child that is ready; nullopt if the set is empty.
  home::Poll<std::optional<Item>> PollNext(Context& cx) {
    if (empty()) return std::optional<Item>();
    bool refilled = false;
    auto finished = children_.PollChildren(cx, refilled);
    if (finished.pending()) return kPending;
    return std::optional<Item>(std::move(finished.value().value));
  }

 private:
  internal::ChildSet<F> children_;
};

template <Future F>
class FuturesOrdered {
 public:
  using Item = internal::NonVoid<FutureOutput<F>>;

  FuturesOrdered() = default;
  FuturesOrdered(FuturesOrdered&&) = default;

  // Adds a future at the end; the next poll of the set polls it.
  void Push(F future) {
    places_.Reserve();
    children_.Push(std::move(future), taken_ + places_.size());
    places_.PushEmpty();
  }

  // The futures whose values were not taken.
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] bool empty() const noexcept { return places_.size() == 0; }
  // Cancels those that are not finished, and forgets the values of the others.
  void Clear() noexcept {
    children_.Clear();
    while (!empty()) PopFront();
  }

  // The value of the oldest; nullopt if the set is empty.
  home::Poll<std::optional<Item>> PollNext(Context& cx) {
    bool refilled = false;
    while (!empty()) {
      Place& oldest = places_[0];
      if (oldest.value.has_value()) {
        std::optional<Item> item = std::move(oldest.value);
        PopFront();
        return item;
      }
      if (oldest.threw) {
        PopFront();
        continue;
      }
      MarkOnUnwind guard(*this);
      auto finished = children_.PollChildren(cx, refilled);
      guard.Release();
      if (finished.pending()) return kPending;
      places_[finished.value().index - taken_].value.emplace(std::move(finished.value().value));
    }
    return std::optional<Item>();
  }

 private:
  struct Place {
    std::optional<Item> value;
    bool threw = false;
  };

  // A queue of places, in a ring: unlike a std::deque it takes no block before the
  // first place, and none when it moves.
  class Places {
   public:
    Places() = default;
    Places(Places&& other) noexcept
        : ring_(std::move(other.ring_)),
          first_(std::exchange(other.first_, 0)),
          size_(std::exchange(other.size_, 0)) {}
    Places& operator=(Places&&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // The n-th from the front.
    Place& operator[](std::size_t n) noexcept { return ring_[Wrap(first_ + n)]; }

    // Makes room for one more.
    void Reserve() {
      if (size_ < ring_.size()) return;
      std::vector<Place> larger(ring_.empty() ? 8 : 2 * ring_.size());
      for (std::size_t i = 0; i < size_; ++i) {
        Place& from = (*this)[i];
        if (from.value.has_value()) larger[i].value.emplace(*std::move(from.value));
        larger[i].threw = from.threw;
      }
      ring_.swap(larger);
      first_ = 0;
    }
    // There is room.
    void PushEmpty() noexcept { ++size_; }
    void PopFront() noexcept {
      Place& front = (*this)[0];
      front.value.reset();
      front.threw = false;
      first_ = Wrap(first_ + 1);
      --size_;
    }

   private:
    [[nodiscard]] std::size_t Wrap(std::size_t n) const noexcept { return n & (ring_.size() - 1); }

    std::vector<Place> ring_;  // a power of two, or none; those in no use are empty
    std::size_t first_ = 0;
    std::size_t size_ = 0;
  };

  // If a child throws, nobody has to wait for its value.
  class MarkOnUnwind {
   public:
    explicit MarkOnUnwind(FuturesOrdered& set) : set_(&set) {}
    MarkOnUnwind(const MarkOnUnwind&) = delete;
    MarkOnUnwind& operator=(const MarkOnUnwind&) = delete;
    ~MarkOnUnwind() {
      if (set_ == nullptr) return;
      set_->places_[set_->children_.last_polled() - set_->taken_].threw = true;
    }
    void Release() { set_ = nullptr; }

   private:
    FuturesOrdered* set_;
  };

  void PopFront() noexcept {
    places_.PopFront();
    ++taken_;
  }

  internal::ChildSet<F> children_;
  Places places_;          // of all whose values were not taken, in order
  std::size_t taken_ = 0;  // the number of places_[0]
};

}  // namespace home

#endif  // HOME_FUTURE_FUTURES_UNORDERED_H_
