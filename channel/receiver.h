// BasicReceiver: the receiving end of a channel of values, for one or for many receivers.
//
//   std::optional<Job> job = co_await receiver.Recv();
//   while (job.has_value()) {                    // nothing: closed, and all was received
//     Run(*std::move(job));
//     job = co_await receiver.Recv();
//   }
//
// Use it as Receiver (mpmc.h), whose copies share the values among themselves, or as
// MpscReceiver (mpsc.h), which is the only one.
//
// When the last receiver goes the channel is closed, and what is inside goes to the hook for
// undelivered values.
//
// Several channels at once: Select(a.Recv(), b.Recv()). What loses is dropped, and leaves its
// value in the channel.
//
// Futures borrow the receiver, which must outlive them.
// Thread-safety: of a Receiver every member by any thread, but for assignment and destruction;
// of an MpscReceiver, its futures and streams by one thread at a time, and of its futures one waits
// at a time: a second one that has to wait ends the program.
// Memory ordering: see sender.h.
// Fairness: values leave in the order of their sending. Receivers that wait are woken in
// order, one for each value. A TryRecv(), or a Recv() at its first poll, may be quicker than one
// that was woken; that one keeps its place, and once it has been overtaken a few times a Recv()
// that comes later waits behind it.

#ifndef HOME_CHANNEL_RECEIVER_H_
#define HOME_CHANNEL_RECEIVER_H_

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/channel/end_wait.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/sync/blocking.h"

namespace home {
namespace channel_internal {

// What receivers wait for (wait.h). `Step` tries: true once its future is done.
template <typename State, typename Step>
class RecvSide {
 public:
  RecvSide(State& state, Step step) : state_(state), step_(std::move(step)) {}
  auto& queue() { return state_.receivers(); }
  bool Take() { return step_(); }
  bool Look() { return state_.HasValueOrEnd(); }
  void Enter() { state_.Offer(); }
  void Listed() { state_.BeforeLookForValue(); }
  void Leave() { state_.Withdraw(); }

 private:
  State& state_;
  Step step_;
};

// The wait of a receiver's future.
template <typename State>
class RecvWait : public EndWait<State, typename State::ReceiverQueue, RecvSide> {
 public:
  using Item = std::optional<typename State::Value>;

  using EndWait<State, typename State::ReceiverQueue, RecvSide>::EndWait;

  // Ready once up to `wanted` values were given to `sink(T&&)`, or will never be.
  template <typename Sink>
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<void> PollTake(Context& cx, std::size_t wanted,
                                                         Sink sink) {
    return this->PollStep(
        cx, kReason, [this, wanted, &sink] { return this->state().TryTakeOrEnd(wanted, sink); });
  }
  // Ready with a value, or with nothing if there will be none.
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<Item> PollOne(Context& cx) {
    if (!cx.ConsumeBudget()) return kPending;
    if (this->MayTry()) {
      Item value;
      if (this->state().TryTakeAtOnce(value)) return value;
    }
    return PollOneSlowly(cx);
  }

 private:
  static constexpr char kReason[] = "a value to receive";

  ABSL_ATTRIBUTE_NOINLINE home::Poll<Item> PollOneSlowly(Context& cx) {
    Item value;
    const auto polled = this->PollPaidStep(cx, kReason, [this, &value] {
      return this->state().TryTakeOrEnd(
          1, [&value](typename State::Value&& taken) { value.emplace(std::move(taken)); });
    });
    if (polled.pending()) return kPending;
    return value;
  }
};

}  // namespace channel_internal

template <typename State>
class BasicReceiver {
  using T = typename State::Value;

 public:
  // What Recv() returns.
  class [[nodiscard]] RecvFuture {
   public:
    using Output = std::optional<T>;

    explicit RecvFuture(State* state) : wait_(state) {}
    RecvFuture(RecvFuture&&) noexcept = default;
    RecvFuture& operator=(RecvFuture&&) = delete;
    ~RecvFuture() = default;

    home::Poll<std::optional<T>> Poll(Context& cx) { return wait_.PollOne(cx); }

   private:
    channel_internal::RecvWait<State> wait_;
  };

  // What RecvMany() returns.
  class [[nodiscard]] RecvManyFuture {
   public:
    using Output = std::size_t;

    RecvManyFuture(State* state, std::vector<T>& values, std::size_t most)
        : wait_(state), values_(&values), most_(most) {}
    RecvManyFuture(RecvManyFuture&&) noexcept = default;
    RecvManyFuture& operator=(RecvManyFuture&&) = delete;
    ~RecvManyFuture() = default;

    home::Poll<std::size_t> Poll(Context& cx) {
      if (most_ == 0) return std::size_t{0};
      const std::size_t before = values_->size();
      // Room first: nothing may throw where values are on their way.
      if (values_->capacity() - before < most_) values_->reserve(before + most_);
      const auto polled =
          wait_.PollTake(cx, most_, [this](T&& taken) { values_->push_back(std::move(taken)); });
      if (polled.pending()) return kPending;
      return values_->size() - before;
    }

   private:
    channel_internal::RecvWait<State> wait_;
    std::vector<T>* values_;
    std::size_t most_;
  };

  // The values as a stream (home/future/stream.h); ends when the channel is closed and empty.
  // Owns a receiver.
  class [[nodiscard]] Stream {
   public:
    using Item = T;

    explicit Stream(BasicReceiver receiver)
        : receiver_(std::move(receiver)), wait_(receiver_.state_) {}
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) = delete;
    ~Stream() = default;

    Poll<std::optional<T>> PollNext(Context& cx) { return wait_.PollOne(cx); }

   private:
    BasicReceiver receiver_;
    channel_internal::RecvWait<State> wait_;
  };

  // For the channel: takes over a receiver that is counted.
  explicit BasicReceiver(State* state) noexcept : state_(state) {}
  BasicReceiver(const BasicReceiver& other)
    requires(State::kManyReceivers)
      : state_(other.state_) {
    if (state_ != nullptr) state_->AddReceiver();
  }
  BasicReceiver(BasicReceiver&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  BasicReceiver& operator=(const BasicReceiver& other)
    requires(State::kManyReceivers)
  {
    return *this = BasicReceiver(other);
  }
  BasicReceiver& operator=(BasicReceiver&& other) noexcept {
    BasicReceiver old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }
  ~BasicReceiver() {
    if (state_ != nullptr) state_->DropReceiver();
  }

  // The next value; nothing once the channel is closed and empty.
  // Cancellation: dropping the future loses nothing: it has delivered, or the value is in the
  // channel. It loses the place among those who wait.
  // Cost: one RMW if a value is there; none once one thread alone has received for long
  // (biased_word.h), nor for an MpscReceiver of an unbounded channel. And a wake-up if a sender
  // sleeps.
  RecvFuture Recv() { return RecvFuture(state_); }

  // The next value if it is there. Nothing may also mean the end: see IsDrained().
  // Cost: as Recv(). A Receiver that has found few values at each of its last looks waits for some
  // microseconds first, as Recv() does, so that the senders get ahead (shared_head.h).
  [[nodiscard]] std::optional<T> TryRecv() {
    std::optional<T> value;
    if (state_->TryTakeAtOnce(value)) return value;
    state_->TryTake(1, [&value](T&& taken) { value.emplace(std::move(taken)); });
    return value;
  }

  // Recv() for a plain thread, which sleeps meanwhile (blocking.h).
  [[nodiscard]] std::optional<T> RecvBlocking() { return BlockingWait(Recv()); }
  // The same up to `timeout`: kDeadlineExceeded; kOutOfRange at the end.
  [[nodiscard]] absl::StatusOr<T> RecvBlockingFor(absl::Duration timeout) {
    auto received = BlockingWaitFor(Recv(), timeout);
    if (!received) return absl::DeadlineExceededError("channel receive: nothing came in time");
    if (!*received) return absl::OutOfRangeError("channel receive: the channel is closed");
    return **std::move(received);
  }

  // Waits for a value, and appends it and those behind it to `values`, up to `most` that are
  // there without further waiting. Ready with their number; 0 once the channel is closed and
  // empty, or for a `most` of 0.
  // Cancellation: dropping the future loses nothing, as Recv(). It must not outlive `values`.
  // Cost: of a Receiver, one RMW for what comes from one block.
  RecvManyFuture RecvMany(std::vector<T>& values, std::size_t most) {
    return RecvManyFuture(state_, values, most);
  }
  // Appends up to `most` values that are there now; their number.
  std::size_t TryRecvMany(std::vector<T>& values, std::size_t most) {
    if (most == 0) return 0;
    if (values.capacity() - values.size() < most) values.reserve(values.size() + most);
    return state_->TryTake(most, [&values](T&& taken) { values.push_back(std::move(taken)); });
  }

  // The values as a stream, which takes the receiver over.
  // Cancellation: dropping the future of its next value loses nothing, as Recv(). Dropping the
  // stream drops the receiver.
  [[nodiscard]] Stream AsStream() && { return Stream(std::move(*this)); }

  // Refuses further values. What is inside, or reserved, can still be received.
  void Close() { state_->Close(); }
  // Whether the channel refuses values: it was closed, or all senders are gone.
  [[nodiscard]] bool IsClosed() const { return state_->IsClosed(); }
  // Whether there is no value and never will be one.
  [[nodiscard]] bool IsDrained() const { return state_->IsDrained(); }
  // The capacity; nothing if there is no limit.
  [[nodiscard]] std::optional<std::size_t> capacity() const { return state_->capacity(); }

 private:
  State* state_;
};

}  // namespace home

#endif  // HOME_CHANNEL_RECEIVER_H_
