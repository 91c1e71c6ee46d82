// Broadcast: a channel in which every receiver gets every value.
//
//   auto [sender, receiver] = MakeBroadcast<Price>(/*capacity=*/64);
//   BroadcastReceiver<Price> another = sender.Subscribe();
//   sender.Send(price);
//   auto received = co_await receiver.Recv();
//   if (received.has_value() && received->missed() > 0) ...   // it was too slow
//   auto prices = std::move(receiver).AsStream();              // for ForEach() and the like
//
// The channel keeps the last `capacity` values. Sending never waits: it overwrites the oldest
// value, and a receiver that had not got it yet learns with its next value how many it has
// missed. A receiver gets what is sent after it was made.
//
// Values are shared, each is stored once; a receiver gets a copy. T must be copyable.
//
// Thread-safety: a sender by any thread, but for assignment and destruction; a receiver and
// its futures by one thread at a time. Copies are independent.
// Memory ordering: what precedes Send() happens before what follows the receipt.
// Cost: sending locks a mutex for a few instructions, and some more for each receiver that waits;
// it allocates if those are more than 16 (wake_list.h). Receiving locks it, too, but for a value of
// up to 64 bytes that can be copied bit by bit: who keeps up reads it without a RMW (value_ring.h).
// A value of another type is allocated, in a cell that all its receivers share, and copied outside
// of the mutex: no user code runs under it.

#ifndef HOME_CHANNEL_BROADCAST_H_
#define HOME_CHANNEL_BROADCAST_H_

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/channel/channel_policy.h"
#include "home/channel/fan_out.h"
#include "home/channel/value_cell.h"
#include "home/channel/value_ring.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/wake_list.h"
#include "home/sync/blocking.h"

namespace home {

// A value, and how many before it the receiver has missed.
template <typename T>
class Broadcasted {
 public:
  Broadcasted(T value, std::uint64_t missed) : value_(std::move(value)), missed_(missed) {}

  [[nodiscard]] T& value() & { return value_; }
  [[nodiscard]] const T& value() const& { return value_; }
  [[nodiscard]] T&& value() && { return std::move(value_); }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }

 private:
  T value_;
  std::uint64_t missed_;
};

namespace channel_internal {

// The last values, as they are shared: a reader takes a reference, and copies without the mutex.
template <typename T, typename Policy>
class SharedValues {
 public:
  using Cell = std::shared_ptr<const T>;

  explicit SharedValues(std::size_t capacity) : cells_(capacity) {}

  static Cell MakeCell(T value) { return std::make_shared<const T>(std::move(value)); }
  // Under the mutex: `cell` becomes the one that is overwritten.
  void Put(std::uint64_t n, Cell& cell) { std::swap(cells_[n % cells_.size()], cell); }
  [[nodiscard]] Cell Get(std::uint64_t n) const { return cells_[n % cells_.size()]; }
  // Not without the mutex.
  [[nodiscard]] Cell TryGet(std::uint64_t) const { return Cell(); }
  // Under the mutex: nobody will get them. They are the caller's to destroy.
  [[nodiscard]] std::vector<Cell> TakeAll() {
    return std::exchange(cells_, std::vector<Cell>(cells_.size()));
  }

 private:
  std::vector<Cell> cells_;
};

// The same for values that are copied bit by bit: whoever has missed nothing needs no mutex.
template <typename T, typename Policy>
  requires kCopiedBitByBit<T>
class SharedValues<T, Policy> {
 public:
  using Cell = std::optional<T>;

  explicit SharedValues(std::size_t capacity) : ring_(capacity) {}

  static Cell MakeCell(T value) { return Cell(value); }
  void Put(std::uint64_t n, Cell& cell) { ring_.Put(n, *cell); }
  [[nodiscard]] Cell Get(std::uint64_t n) const { return ring_.Get(n); }
  [[nodiscard]] Cell TryGet(std::uint64_t n) const { return ring_.Get(n); }
  [[nodiscard]] std::monostate TakeAll() { return {}; }

 private:
  ValueRing<T, Policy> ring_;
};

// What all handles of one channel share.
template <typename T, typename Policy>
class BroadcastState : public FanOut<Policy> {
 public:
  using Values = SharedValues<T, Policy>;
  using Cell = typename Values::Cell;

  explicit BroadcastState(std::size_t capacity) : capacity_(capacity), values_(capacity) {}

  // Returns the number of receivers.
  std::size_t Send(T value) {
    Cell cell = Values::MakeCell(std::move(value));
    WakeList wakes;
    std::size_t receivers;
    {
      const std::lock_guard lock(this->mutex_);
      receivers = this->receivers_;
      if (receivers == 0) return 0;
      // The overwritten value is destroyed after the mutex is released.
      values_.Put(next_, cell);
      ++next_;
      this->waiters_.ReleaseAll(wakes);
    }
    wakes.WakeAll();
    return receivers;
  }

  // The value at `position`, and the position behind it. False also if it takes the mutex to
  // know. By one that has missed nothing.
  bool TryTake(std::uint64_t& position, Cell& cell) const {
    cell = values_.TryGet(position);
    if (!cell) return false;
    ++position;
    return true;
  }
  // Under the mutex: the same or, if it is overwritten, the oldest one. False if it is not sent
  // yet.
  bool TakeLocked(std::uint64_t& position, std::uint64_t& missed, Cell& cell) const {
    if (position == next_) return false;
    const std::uint64_t oldest = next_ - std::min<std::uint64_t>(next_, capacity_);
    missed = position < oldest ? oldest - position : 0;
    position += missed;
    cell = values_.Get(position);
    ++position;
    return true;
  }

  std::uint64_t AddReceiver() {
    const std::lock_guard lock(this->mutex_);
    ++this->receivers_;
    return next_;
  }
  void DropReceiver() {
    decltype(values_.TakeAll()) unused;  // destroyed after the mutex is released
    const std::lock_guard lock(this->mutex_);
    if (--this->receivers_ != 0) return;
    unused = values_.TakeAll();
  }

 private:
  const std::size_t capacity_;
  Values values_;
  std::uint64_t next_ = 0;  // how many values were sent to somebody
};

}  // namespace channel_internal

// The receiving end: copies go on from where the original is.
template <std::copyable T, typename Policy = ChannelPolicy>
class BroadcastReceiver {
  using State = channel_internal::BroadcastState<T, Policy>;

 public:
  using Item = Broadcasted<T>;

  // What Recv() returns.
  class [[nodiscard]] RecvFuture {
   public:
    using Output = std::optional<Item>;

    explicit RecvFuture(BroadcastReceiver& receiver) noexcept : receiver_(&receiver) {}
    home::Poll<Output> Poll(Context& cx) { return receiver_->PollOne(wait_, cx); }

   private:
    BroadcastReceiver* receiver_;
    typename State::Wait wait_;
  };

  // The values as a stream (home/future/stream.h), each with what was missed before it; ends when
  // all senders are gone and all was received. Owns a receiver. Movable before its first poll.
  class [[nodiscard]] Stream {
   public:
    using Item = Broadcasted<T>;

    explicit Stream(BroadcastReceiver receiver) noexcept : receiver_(std::move(receiver)) {}
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) = delete;
    ~Stream() = default;

    Poll<std::optional<Item>> PollNext(Context& cx) { return receiver_.PollOne(wait_, cx); }

   private:
    BroadcastReceiver receiver_;
    typename State::Wait wait_;
  };

  // For the channel.
  BroadcastReceiver(std::shared_ptr<State> state, std::uint64_t position)
      : state_(std::move(state)), position_(position) {}
  BroadcastReceiver(const BroadcastReceiver& other)
      : state_(other.state_), position_(other.position_) {
    if (state_ != nullptr) state_->AddReceiver();
  }
  BroadcastReceiver(BroadcastReceiver&& other) noexcept = default;
  BroadcastReceiver& operator=(BroadcastReceiver other) noexcept {
    std::swap(state_, other.state_);
    std::swap(position_, other.position_);
    return *this;
  }
  ~BroadcastReceiver() {
    if (state_ != nullptr) state_->DropReceiver();
  }

  // The next value; nothing once all senders are gone and all was received.
  // Cancellation: dropping the future loses nothing.
  RecvFuture Recv() { return RecvFuture(*this); }

  // The next value if it is there.
  [[nodiscard]] std::optional<Item> TryRecv() {
    std::uint64_t missed = 0;
    typename State::Cell cell{};
    if (!state_->TryTake(position_, cell)) {
      const std::lock_guard lock(state_->mutex());
      if (!state_->TakeLocked(position_, missed, cell)) return std::nullopt;
    }
    return std::optional<Item>(std::in_place, T(*cell), missed);
  }

  // Recv() for a plain thread, which sleeps meanwhile (blocking.h).
  [[nodiscard]] std::optional<Item> RecvBlocking() { return BlockingWait(Recv()); }
  // The same up to `timeout`: kDeadlineExceeded; kOutOfRange at the end.
  [[nodiscard]] absl::StatusOr<Item> RecvBlockingFor(absl::Duration timeout) {
    auto received = BlockingWaitFor(Recv(), timeout);
    if (!received) return absl::DeadlineExceededError("broadcast receive: nothing came in time");
    if (!*received) return absl::OutOfRangeError("broadcast receive: all senders are gone");
    return **std::move(received);
  }

  // The values as a stream, which takes the receiver over, with its position.
  // Cancellation: dropping the future of its next value loses nothing. Dropping the stream drops
  // the receiver; others' values are untouched, those of a copy that was made before, too.
  [[nodiscard]] Stream AsStream() && { return Stream(std::move(*this)); }

 private:
  Poll<std::optional<Item>> PollOne(typename State::Wait& wait, Context& cx) {
    State& state = *state_;
    std::uint64_t missed = 0;
    typename State::Cell cell{};
    const auto polled = wait.Poll(
        state, cx, "a broadcast value", [&] { return state.TryTake(position_, cell); },
        [&] { return state.TakeLocked(position_, missed, cell) || state.ClosedLocked(); });
    if (polled.pending()) return kPending;
    if (!cell) return std::optional<Item>();
    return std::optional<Item>(std::in_place, T(*cell), missed);
  }

  std::shared_ptr<State> state_;
  std::uint64_t position_;  // of the next value
};

// The sending end. When the last one goes, receivers get what is left, then the end.
template <std::copyable T, typename Policy = ChannelPolicy>
class BroadcastSender {
  using State = channel_internal::BroadcastState<T, Policy>;

 public:
  // For the channel.
  explicit BroadcastSender(std::shared_ptr<State> state) : state_(std::move(state)) {}
  BroadcastSender(const BroadcastSender& other) : state_(other.state_) {
    if (state_ != nullptr) state_->AddSender();
  }
  BroadcastSender(BroadcastSender&&) noexcept = default;
  BroadcastSender& operator=(BroadcastSender other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~BroadcastSender() {
    if (state_ != nullptr) state_->DropSender();
  }

  // Sends to every receiver there is, and returns their number; without one the value is
  // destroyed. Never waits.
  std::size_t Send(T value) { return state_->Send(std::move(value)); }

  // A further receiver, of what is sent from now on.
  [[nodiscard]] BroadcastReceiver<T, Policy> Subscribe() {
    const std::uint64_t position = state_->AddReceiver();
    return BroadcastReceiver<T, Policy>(state_, position);
  }
  // How many receivers there are.
  [[nodiscard]] std::size_t receivers() const { return state_->receivers(); }

 private:
  std::shared_ptr<State> state_;
};

// The ends of a new channel that keeps the last `capacity` values, at least one.
template <std::copyable T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<BroadcastSender<T, Policy>, BroadcastReceiver<T, Policy>> MakeBroadcast(
    std::size_t capacity) {
  if (capacity == 0) Fatal("MakeBroadcast() with a capacity of 0");
  auto state = std::make_shared<channel_internal::BroadcastState<T, Policy>>(capacity);
  BroadcastReceiver<T, Policy> receiver(state, 0);
  return {BroadcastSender<T, Policy>(std::move(state)), std::move(receiver)};
}

}  // namespace home

#endif  // HOME_CHANNEL_BROADCAST_H_
