// Watch: a channel that holds one value, the latest.
//
//   auto [sender, receiver] = MakeWatch<Config>(initial);
//   sender.Send(newer);
//   while (true) {
//     const bool changed = co_await receiver.Changed();
//     if (!changed) break;                                  // all senders are gone
//     Apply(*receiver.BorrowAndUpdate());
//   }
//   auto configs = std::move(receiver).AsStream();          // the same, for ForEach() and the like
//
// Each receiver remembers which version of the value it has seen, and can wait for another.
// What lies between is not kept. The value can be read at any time: Borrow() gives a snapshot
// that nobody changes any more, and holds no lock.
//
// Thread-safety: a sender by any thread, but for assignment and destruction; a receiver and its
// futures by one thread at a time. Copies are independent.
// Memory ordering: what precedes Send() happens before what follows the Borrow() that sees its
// value.
// Cost: Send() locks a mutex for some instructions, and some more for each receiver that waits; it
// allocates if those are more than 16 (wake_list.h). Waiting locks it to take a place; whether
// there is another value is a load. A value of up to 64 bytes that can be copied bit by bit (a
// flag, a number, a few of them) lies in the channel: a snapshot is a copy of it, which takes no
// RMW unless a Send() is under way (value_cell.h). One of another type is allocated by Send(), and
// reading locks the mutex to take a reference. No user code runs under it.

#ifndef HOME_CHANNEL_WATCH_H_
#define HOME_CHANNEL_WATCH_H_

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "home/channel/channel_policy.h"
#include "home/channel/fan_out.h"
#include "home/channel/value_cell.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/wake_list.h"

namespace home {
namespace channel_internal {

// The latest value, as it is shared: a reader takes a reference.
template <typename T, typename Policy>
class LatestValue {
 public:
  using Snapshot = std::shared_ptr<const T>;

  static Snapshot Make(T value) { return std::make_shared<const T>(std::move(value)); }

  // Under the mutex: `value` becomes the one before.
  void Put(std::uint64_t, Snapshot& value) { std::swap(value_, value); }
  [[nodiscard]] Snapshot Get(std::uint64_t) const { return value_; }
  // Not without the mutex.
  [[nodiscard]] Snapshot TryGet(std::uint64_t) const { return Snapshot(); }

 private:
  Snapshot value_;
};

// The same for values that are copied bit by bit: who reads while nobody sends needs no mutex.
template <typename T, typename Policy>
  requires(kCopiedBitByBit<T> && std::copy_constructible<T>)
class LatestValue<T, Policy> {
 public:
  using Snapshot = std::optional<T>;

  static Snapshot Make(T value) { return Snapshot(value); }

  void Put(std::uint64_t version, Snapshot& value) { cell_.Put(version, *value); }
  [[nodiscard]] Snapshot Get(std::uint64_t version) const { return cell_.Get(version); }
  [[nodiscard]] Snapshot TryGet(std::uint64_t version) const { return cell_.Get(version); }

 private:
  ValueCell<T, Policy> cell_;
};

template <typename T, typename Policy>
class WatchState : public FanOut<Policy> {
  using Latest = LatestValue<T, Policy>;

 public:
  using Snapshot = typename Latest::Snapshot;

  explicit WatchState(T value) {
    Snapshot first = Latest::Make(std::move(value));
    latest_.Put(kFirst, first);
  }

  void Send(T value) {
    // The old one goes after the mutex is released.
    Snapshot snapshot = Latest::Make(std::move(value));
    WakeList wakes;
    {
      const std::lock_guard lock(this->mutex_);
      const std::uint64_t version = VersionLocked() + 1;
      latest_.Put(version, snapshot);
      // release: who sees the version without the mutex. pairs with: version().
      version_.store(version, std::memory_order_release);
      this->waiters_.ReleaseAll(wakes);
    }
    wakes.WakeAll();
  }
  [[nodiscard]] Snapshot Get() {
    std::uint64_t version;
    return Get(version);
  }
  // The value and, in `version`, its number.
  [[nodiscard]] Snapshot Get(std::uint64_t& version) {
    version = this->version();
    if (Snapshot value = latest_.TryGet(version)) return value;
    const std::lock_guard lock(this->mutex_);
    version = VersionLocked();
    return latest_.Get(version);
  }
  [[nodiscard]] std::uint64_t version() const {
    // acquire: what precedes the Send() of this version. pairs with: Send().
    return version_.load(std::memory_order_acquire);
  }

  // Under the mutex.
  [[nodiscard]] std::uint64_t VersionLocked() const {
    // relaxed: it changes under the mutex.
    return version_.load(std::memory_order_relaxed);
  }

  void AddReceiver() {
    const std::lock_guard lock(this->mutex_);
    ++this->receivers_;
  }
  void DropReceiver() {
    const std::lock_guard lock(this->mutex_);
    --this->receivers_;
  }

 private:
  static constexpr std::uint64_t kFirst = 1;

  typename Policy::template Atomic<std::uint64_t> version_{kFirst};  // written under the mutex
  Latest latest_;
};

}  // namespace channel_internal

// The receiving end. A copy has seen what the original has.
template <ChannelValue T, typename Policy = ChannelPolicy>
class WatchReceiver {
  using State = channel_internal::WatchState<T, Policy>;

 public:
  // A value that stays as it is, however long it is kept: a std::optional<T> if T is small and
  // plain, else a std::shared_ptr<const T>.
  using Snapshot = typename State::Snapshot;

 private:
  // Waits for a value that was not seen.
  class Wait {
   public:
    // Ready with true if there is one, which counts as seen, or with false at the end. By the
    // same receiver each time.
    home::Poll<bool> Poll(WatchReceiver& receiver, Context& cx) {
      State& state = *receiver.state_;
      std::uint64_t& seen = receiver.seen_;
      bool changed = false;
      const auto see = [&](std::uint64_t version) {
        changed = version != std::exchange(seen, version);
        return changed;
      };
      const auto polled = wait_.Poll(
          state, cx, "a new value", [&] { return see(state.version()); },
          [&] { return see(state.VersionLocked()) || state.ClosedLocked(); });
      if (polled.pending()) return kPending;
      return changed;
    }

   private:
    typename State::Wait wait_;
  };

 public:
  // What Changed() returns.
  class [[nodiscard]] ChangedFuture {
   public:
    using Output = bool;

    explicit ChangedFuture(WatchReceiver& receiver) noexcept : receiver_(&receiver) {}

    home::Poll<bool> Poll(Context& cx) { return wait_.Poll(*receiver_, cx); }

   private:
    WatchReceiver* receiver_;
    Wait wait_;
  };

  // What WaitFor() returns.
  template <std::predicate<const T&> Predicate>
  class [[nodiscard]] WaitForFuture {
   public:
    using Output = Snapshot;

    WaitForFuture(WatchReceiver& receiver, Predicate predicate)
        : receiver_(&receiver), predicate_(std::move(predicate)) {}

    home::Poll<Snapshot> Poll(Context& cx) {
      // At first also the value that was seen.
      while (true) {
        if (looked_) {
          auto changed = wait_.Poll(*receiver_, cx);
          if (changed.pending()) return kPending;
          if (!*changed) return Snapshot();
        }
        looked_ = true;
        Snapshot value = receiver_->BorrowAndUpdate();
        if (predicate_(*value)) return value;
      }
    }

   private:
    WatchReceiver* receiver_;
    Wait wait_;
    Predicate predicate_;
    bool looked_ = false;
  };

  // The values that were not seen as a stream (home/future/stream.h): the latest one each time,
  // which then counts as seen; ends when all senders are gone. Owns a receiver. Movable before its
  // first poll.
  class [[nodiscard]] Stream {
   public:
    using Item = Snapshot;

    explicit Stream(WatchReceiver receiver) noexcept : receiver_(std::move(receiver)) {}
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) = delete;
    ~Stream() = default;

    Poll<std::optional<Snapshot>> PollNext(Context& cx) {
      auto changed = wait_.Poll(receiver_, cx);
      if (changed.pending()) return kPending;
      if (!*changed) return std::optional<Snapshot>();
      return std::optional<Snapshot>(receiver_.BorrowAndUpdate());
    }

   private:
    WatchReceiver receiver_;
    Wait wait_;
  };

  // For the channel.
  WatchReceiver(std::shared_ptr<State> state, std::uint64_t seen)
      : state_(std::move(state)), seen_(seen) {}
  WatchReceiver(const WatchReceiver& other) : state_(other.state_), seen_(other.seen_) {
    if (state_ != nullptr) state_->AddReceiver();
  }
  WatchReceiver(WatchReceiver&&) noexcept = default;
  WatchReceiver& operator=(WatchReceiver other) noexcept {
    std::swap(state_, other.state_);
    std::swap(seen_, other.seen_);
    return *this;
  }
  ~WatchReceiver() {
    if (state_ != nullptr) state_->DropReceiver();
  }

  // The latest value.
  [[nodiscard]] Snapshot Borrow() const { return state_->Get(); }
  // The same, and it counts as seen.
  [[nodiscard]] Snapshot BorrowAndUpdate() { return state_->Get(seen_); }

  // Whether there is a value that was not seen.
  [[nodiscard]] bool HasChanged() const { return state_->version() != seen_; }

  // Waits for a value that was not seen, which then counts as seen. False if there is none and
  // all senders are gone. A plain thread waits by BlockingWait(receiver.Changed()), or up to some
  // time by BlockingWaitFor() (blocking.h).
  // Cancellation: dropping the future loses nothing.
  ChangedFuture Changed() { return ChangedFuture(*this); }

  // Waits until `predicate` holds of the latest value, beginning with the one that is there,
  // and gives it; values that come in quick succession may be left out. Empty if all senders
  // are gone first. The predicate is called under no lock.
  // Cancellation: dropping the future loses nothing, but the values it has looked at count as
  // seen.
  template <std::predicate<const T&> Predicate>
  WaitForFuture<Predicate> WaitFor(Predicate predicate) {
    return WaitForFuture<Predicate>(*this, std::move(predicate));
  }

  // The values that were not seen as a stream, which takes the receiver over. The one that is
  // there now is not among them if it was seen.
  // Cancellation: dropping the future of its next value loses nothing. Dropping the stream drops
  // the receiver, and the value stays what it is.
  [[nodiscard]] Stream AsStream() && { return Stream(std::move(*this)); }

 private:
  std::shared_ptr<State> state_;
  std::uint64_t seen_;
};

// The sending end.
template <ChannelValue T, typename Policy = ChannelPolicy>
class WatchSender {
  using State = channel_internal::WatchState<T, Policy>;

 public:
  using Snapshot = typename State::Snapshot;

  // For the channel.
  explicit WatchSender(std::shared_ptr<State> state) : state_(std::move(state)) {}
  WatchSender(const WatchSender& other) : state_(other.state_) {
    if (state_ != nullptr) state_->AddSender();
  }
  WatchSender(WatchSender&&) noexcept = default;
  WatchSender& operator=(WatchSender other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~WatchSender() {
    if (state_ != nullptr) state_->DropSender();
  }

  // Makes `value` the latest, whether there are receivers or not.
  void Send(T value) { state_->Send(std::move(value)); }
  // The latest value.
  [[nodiscard]] Snapshot Borrow() const { return state_->Get(); }

  // A further receiver, which has seen the latest value.
  [[nodiscard]] WatchReceiver<T, Policy> Subscribe() {
    state_->AddReceiver();
    return WatchReceiver<T, Policy>(state_, state_->version());
  }
  // How many receivers there are.
  [[nodiscard]] std::size_t receivers() const { return state_->receivers(); }

 private:
  std::shared_ptr<State> state_;
};

// The ends of a new channel that holds `initial`, which counts as seen.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<WatchSender<T, Policy>, WatchReceiver<T, Policy>> MakeWatch(T initial) {
  auto state = std::make_shared<channel_internal::WatchState<T, Policy>>(std::move(initial));
  WatchReceiver<T, Policy> receiver(state, state->version());
  return {WatchSender<T, Policy>(std::move(state)), std::move(receiver)};
}

}  // namespace home

#endif  // HOME_CHANNEL_WATCH_H_
