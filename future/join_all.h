// JoinAll, TryJoinAll, SelectAll and SelectAllBiased: as many futures of one type as a
// range has.
//
//   std::vector<Async<Page>> fetches = ...;
//   std::vector<Page> pages = co_await JoinAll(std::move(fetches));
//
//            takes futures of      yields
//   JoinAll     T                  std::vector<T>, in the order of the range
//               void               void
//   TryJoinAll  StatusOr<T>        StatusOr<std::vector<T>>: all, or the first error
//               Status             Status
//   SelectAll   T                  std::pair<std::size_t, T>: who was first, and what
//               void               std::pair<std::size_t, std::monostate>
//
// A poll polls only those children that were woken: the cost of a wake does not
// depend on their number (child_set.h). For a handful of futures of different types
// see Join, TryJoin and Select, which allocate nothing.
//
// TryJoinAll and SelectAll cancel the others before they yield; so does any of the
// three if a child throws, before the exception goes on. SelectAll is fair: who was
// woken first is asked first. SelectAllBiased asks those that were woken in the order of
// the range, at the cost of sorting them. Either of nothing is a fatal mistake: it would
// never be ready.
//
// Movable before the first poll. Thread-safety: one thread at a time.
// Cancellation: the unfinished children are cancelled; the values of the finished
// ones are lost.
// Cost: one block a child and one for all from the recycling cache. JoinAll and
// TryJoinAll of values take two vectors besides: of the values as they come, and the
// result.

#ifndef HOME_FUTURE_JOIN_ALL_H_
#define HOME_FUTURE_JOIN_ALL_H_

#include <cstddef>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/child_set.h"
#include "home/future/fallible.h"
#include "home/future/fatal.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/poll_check.h"

namespace home {
namespace internal {

template <typename R>
concept FutureRange = std::ranges::input_range<R> && Future<std::ranges::range_value_t<R>>;

// Children that go all together.
template <Future F>
class JoinedChildren {
 public:
  template <FutureRange R>
  explicit JoinedChildren(R&& futures) {
    static_assert(!std::is_lvalue_reference_v<R>, "the futures are taken over: std::move them in");
    std::size_t index = 0;
    for (auto&& future : futures) children_.Push(F(std::move(future)), index++);
  }

  [[nodiscard]] std::size_t size() const { return children_.size(); }

  auto PollChildren(Context& cx, bool& refilled, PollOrder order = PollOrder::kWoken) {
    CancelOnUnwind guard(children_);
    auto finished = children_.PollChildren(cx, refilled, order);
    guard.Release();
    return finished;
  }
  void Cancel() { children_.Clear(); }

 private:
  class CancelOnUnwind {
   public:
    explicit CancelOnUnwind(ChildSet<F>& children) : children_(&children) {}
    CancelOnUnwind(const CancelOnUnwind&) = delete;
    CancelOnUnwind& operator=(const CancelOnUnwind&) = delete;
    ~CancelOnUnwind() {
      if (children_ != nullptr) children_->Clear();
    }
    void Release() { children_ = nullptr; }

   private:
    ChildSet<F>* children_;
  };

  ChildSet<F> children_;
};

// Values that come in any order, for a vector; nothing for void.
template <typename T>
class JoinedValues {
 public:
  explicit JoinedValues(std::size_t size) : values_(size) {}
  void Put(std::size_t index, T value) { values_[index].emplace(std::move(value)); }
  std::vector<T> Take() {
    std::vector<T> all;
    all.reserve(values_.size());
    for (std::optional<T>& value : values_) all.push_back(*std::move(value));
    return all;
  }

 private:
  std::vector<std::optional<T>> values_;
};
template <>
class JoinedValues<void> {
 public:
  explicit JoinedValues(std::size_t) {}
};

template <typename T>
struct VectorOf {
  using type = std::vector<T>;
};
template <>
struct VectorOf<void> {
  using type = void;
};

}  // namespace internal

template <Future F>
class [[nodiscard]] JoinAllFuture {
  using T = FutureOutput<F>;

 public:
  using Output = typename internal::VectorOf<T>::type;
  static constexpr const char* kName = "JoinAll";

  template <internal::FutureRange R>
  explicit JoinAllFuture(R&& futures)
      : children_(std::forward<R>(futures)), values_(children_.size()) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    bool refilled = false;
    while (children_.size() != 0) {
      auto finished = children_.PollChildren(cx, refilled);
      if (finished.pending()) return check_.Pending();
      if constexpr (!std::is_void_v<T>) {
        values_.Put(finished.value().index, std::move(finished.value().value));
      }
    }
    if constexpr (std::is_void_v<T>) {
      return kReady;
    } else {
      return values_.Take();
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<JoinAllFuture> check_;
  internal::JoinedChildren<F> children_;
  [[no_unique_address]] internal::JoinedValues<T> values_;
};

// A future of all the values.
template <internal::FutureRange R>
auto JoinAll(R&& futures) {
  return JoinAllFuture<std::ranges::range_value_t<R>>(std::forward<R>(futures));
}

template <Future F>
  requires FallibleType<FutureOutput<F>>
class [[nodiscard]] TryJoinAllFuture {
  using T = internal::Success<FutureOutput<F>>;

 public:
  using Output = Fallible<typename internal::VectorOf<T>::type>;
  static constexpr const char* kName = "TryJoinAll";

  template <internal::FutureRange R>
  explicit TryJoinAllFuture(R&& futures)
      : children_(std::forward<R>(futures)), values_(children_.size()) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    bool refilled = false;
    while (children_.size() != 0) {
      auto finished = children_.PollChildren(cx, refilled);
      if (finished.pending()) return check_.Pending();
      auto& result = finished.value().value;
      if (!result.ok()) {
        children_.Cancel();
        return Output(internal::GetStatus(std::move(result)));
      }
      if constexpr (!std::is_void_v<T>) {
        values_.Put(finished.value().index, *std::move(result));
      }
    }
    if constexpr (std::is_void_v<T>) {
      return absl::OkStatus();
    } else {
      return Output(values_.Take());
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<TryJoinAllFuture> check_;
  internal::JoinedChildren<F> children_;
  [[no_unique_address]] internal::JoinedValues<T> values_;
};

// A future of all the successes, or of the first error.
template <internal::FutureRange R>
auto TryJoinAll(R&& futures) {
  return TryJoinAllFuture<std::ranges::range_value_t<R>>(std::forward<R>(futures));
}

template <Future F, internal::PollOrder kOrder = internal::PollOrder::kWoken>
class [[nodiscard]] SelectAllFuture {
 public:
  using Output = std::pair<std::size_t, internal::NonVoid<FutureOutput<F>>>;
  static constexpr const char* kName = "SelectAll";

  template <internal::FutureRange R>
  explicit SelectAllFuture(R&& futures) : children_(std::forward<R>(futures)) {
    if (children_.size() == 0) Fatal("SelectAll of no futures would never be ready");
  }

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    bool refilled = false;
    auto finished = children_.PollChildren(cx, refilled, kOrder);
    if (finished.pending()) return check_.Pending();
    children_.Cancel();
    return Output(finished.value().index, std::move(finished.value().value));
  }

 private:
  [[no_unique_address]] internal::PollCheck<SelectAllFuture> check_;
  internal::JoinedChildren<F> children_;
};

// A future of the first that is ready.
template <internal::FutureRange R>
auto SelectAll(R&& futures) {
  return SelectAllFuture<std::ranges::range_value_t<R>>(std::forward<R>(futures));
}

// The same, where of several that are ready the first of the range is it.
template <internal::FutureRange R>
auto SelectAllBiased(R&& futures) {
  return SelectAllFuture<std::ranges::range_value_t<R>, internal::PollOrder::kIndex>(
      std::forward<R>(futures));
}

}  // namespace home

#endif  // HOME_FUTURE_JOIN_ALL_H_
