// BasicSender: the sending end of a channel of values, whatever its receiving end is.
//
//   absl::Status sent = co_await sender.Send(std::move(job));
//   if (sender.TrySend(std::move(job)) == TrySendResult::kFull) ...   // `job` is untouched
//
// Use it as Sender (mpmc.h) or MpscSender (mpsc.h).
//
// A sender is a counted reference; copies are further senders. When the last one goes the
// channel is closed. A WeakSender does not count and can be turned into one that does while
// there is still another.
//
// A closed channel refuses values: kFailedPrecondition. "Sent" means that the channel has
// accepted the value, not that somebody will receive it.
//
// Futures borrow the sender, which must outlive them.
// Thread-safety: every member by any thread, but for assignment and destruction.
// Memory ordering: what precedes the sending of a value happens before what follows its
// receipt; what precedes a receipt before what follows the sending that it made room for. That
// something is full, empty or closed is known to be so as far as the other end's operations happen
// before: one that goes on at the same time may be seen late.
// Fairness: senders that wait are woken in order, one for each room. A TrySend(), or a Send() at
// its first poll, may overtake them; who was overtaken keeps its place, and after a few times a
// Send() that comes later waits behind it.

#ifndef HOME_CHANNEL_SENDER_H_
#define HOME_CHANNEL_SENDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "home/channel/end_wait.h"
#include "home/channel/tail_end.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/sync/blocking.h"

namespace home {

enum class [[nodiscard]] TrySendResult : std::uint8_t {
  kSent,
  kFull,    // no room at this moment, or no receiver that waits, for a capacity of 0
  kClosed,  // for ever
};

namespace channel_internal {

inline absl::Status ClosedError(const char* operation) {
  return absl::FailedPreconditionError(operation);
}
inline constexpr char kSendClosed[] = "channel send: the channel is closed";
inline constexpr char kReserveClosed[] = "channel reserve: the channel is closed";
inline constexpr char kTooManyPermits[] = "channel reserve: 65535 permits are not used yet";

// What senders wait for (wait.h). `Step` tries: true once its future is done.
template <typename State, typename Step>
class SendSide {
 public:
  SendSide(State& state, Step step) : state_(state), step_(std::move(step)) {}
  auto& queue() { return state_.senders(); }
  bool Take() { return step_(); }
  bool Look() { return state_.HasRoomOrEnd(); }
  void Enter() {}
  void Listed() { state_.BeforeLookForRoom(); }
  void Leave() {}

 private:
  State& state_;
  Step step_;
};

// The wait of a sender's future.
template <typename State>
class SendWait : public EndWait<State, typename State::SenderQueue, SendSide> {
 public:
  using EndWait<State, typename State::SenderQueue, SendSide>::EndWait;

  // Ready once `step()` was true.
  template <typename Step>
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<void> Poll(Context& cx, Step step) {
    return this->PollStep(cx, kReason, std::move(step));
  }
  template <typename Step>
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<void> PollPaid(Context& cx, Step step) {
    return this->PollPaidStep(cx, kReason, std::move(step));
  }

 private:
  static constexpr char kReason[] = "room to send";
};

}  // namespace channel_internal

// Room in a channel for one value, to be used or given back. Made by Reserve(). Keeps the
// channel's memory, but does not count as a sender: what is reserved can be sent after a
// Close(), and receivers wait for it.
template <typename State>
class [[nodiscard]] BasicPermit {
  using T = typename State::Value;

 public:
  // For the channel.
  explicit BasicPermit(State* state) noexcept : state_(state) { state_->AddWeak(); }
  BasicPermit(BasicPermit&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  BasicPermit& operator=(BasicPermit&& other) noexcept {
    BasicPermit old(std::move(*this));
    state_ = std::exchange(other.state_, nullptr);
    return *this;
  }
  // Gives the room back.
  ~BasicPermit() {
    if (state_ == nullptr) return;
    state_->CancelReservation();
    state_->Release();
  }

  // Sends, without waiting, and uses the permit up. If all receivers are gone the value is
  // given to the hook for undelivered values.
  void Send(T value) {
    if (state_ == nullptr) Fatal("a channel's permit was used twice");
    State* const state = std::exchange(state_, nullptr);
    state->PushReserved(value);
    state->Release();
  }

 private:
  State* state_;
};

template <typename State>
class BasicWeakSender;

template <typename State>
class BasicSender {
  using T = typename State::Value;
  using PushResult = channel_internal::PushResult;

 public:
  using Permit = BasicPermit<State>;

  // What Send() returns.
  class [[nodiscard]] SendFuture {
   public:
    using Output = absl::Status;

    SendFuture(State* state, T value) : wait_(state), value_(std::move(value)) {}
    SendFuture(SendFuture&&) noexcept = default;
    SendFuture& operator=(SendFuture&&) = delete;
    ~SendFuture() = default;

    ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<absl::Status> Poll(Context& cx) {
      if (!cx.ConsumeBudget()) return kPending;
      if (wait_.MayTry() && wait_.state().TryPushAtOnce(value_)) return absl::OkStatus();
      return PollSlowly(cx);
    }

   private:
    friend class BasicSender;

    ABSL_ATTRIBUTE_NOINLINE home::Poll<absl::Status> PollSlowly(Context& cx) {
      PushResult result = PushResult::kFull;
      const auto polled = wait_.PollPaid(cx, [this, &result] {
        result = wait_.state().TryPush(value_);
        return result != PushResult::kFull;
      });
      if (polled.pending()) return kPending;
      if (result == PushResult::kPushed) return absl::OkStatus();
      return channel_internal::ClosedError(channel_internal::kSendClosed);
    }

    channel_internal::SendWait<State> wait_;
    T value_;
  };

  // What SendMany() returns.
  class [[nodiscard]] SendManyFuture {
   public:
    using Output = std::size_t;

    SendManyFuture(State* state, absl::Span<T> values) : wait_(state), values_(values) {}
    SendManyFuture(SendManyFuture&&) noexcept = default;
    SendManyFuture& operator=(SendManyFuture&&) = delete;
    ~SendManyFuture() = default;

    home::Poll<std::size_t> Poll(Context& cx) {
      const auto polled = wait_.Poll(cx, [this] {
        while (sent_ < values_.size()) {
          std::size_t pushed = 0;
          const PushResult result =
              wait_.state().TryPushMany(values_.data() + sent_, values_.size() - sent_, pushed);
          sent_ += pushed;
          if (result != PushResult::kPushed) return result == PushResult::kClosed;
        }
        return true;
      });
      if (polled.pending()) return kPending;
      return sent_;
    }

    // How many were sent so far.
    [[nodiscard]] std::size_t sent() const { return sent_; }

   private:
    channel_internal::SendWait<State> wait_;
    absl::Span<T> values_;
    std::size_t sent_ = 0;
  };

  // What Reserve() returns.
  class [[nodiscard]] ReserveFuture {
   public:
    using Output = absl::StatusOr<Permit>;

    explicit ReserveFuture(State* state) : wait_(state) {}
    ReserveFuture(ReserveFuture&&) noexcept = default;
    ReserveFuture& operator=(ReserveFuture&&) = delete;
    ~ReserveFuture() = default;

    home::Poll<Output> Poll(Context& cx) {
      PushResult result = PushResult::kFull;
      const auto polled = wait_.Poll(cx, [this, &result] {
        result = wait_.state().TryReserve();
        return result != PushResult::kFull;
      });
      if (polled.pending()) return kPending;
      if (result == PushResult::kPushed) return Output(Permit(&wait_.state()));
      if (result == PushResult::kTooMany) {
        // It may have been woken for the room that it leaves to the next.
        wait_.state().senders().Notify();
        return Output(absl::ResourceExhaustedError(channel_internal::kTooManyPermits));
      }
      return Output(channel_internal::ClosedError(channel_internal::kReserveClosed));
    }

   private:
    channel_internal::SendWait<State> wait_;
  };

  // For the channel: takes over a sender that is counted.
  explicit BasicSender(State* state) noexcept : state_(state) {}
  BasicSender(const BasicSender& other) : state_(other.state_) {
    if (state_ != nullptr) state_->AddSender();
  }
  BasicSender(BasicSender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  BasicSender& operator=(BasicSender other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~BasicSender() {
    if (state_ != nullptr) state_->DropSender();
  }

  // Sends `value` once there is room. OK, or kFailedPrecondition if the channel is closed; the
  // value is destroyed then, so use Reserve() or TrySend() for one that is precious.
  // Cancellation: dropping the future before it is ready destroys the value, which was not
  // sent, and loses the place in the queue.
  // Cost: with room one RMW, or none once one thread alone has sent for long (biased_word.h), and a
  // wake-up if a receiver sleeps. Allocates a block for every 31 values, from a cache.
  SendFuture Send(T value) { return SendFuture(state_, std::move(value)); }

  // Sends if there is room now. `value` is untouched unless it was sent.
  TrySendResult TrySend(T&& value) {
    if (state_->TryPushAtOnce(value)) return TrySendResult::kSent;
    switch (state_->TryPush(value)) {
      case PushResult::kPushed:
        return TrySendResult::kSent;
      case PushResult::kFull:
        return TrySendResult::kFull;
      case PushResult::kClosed:
      case PushResult::kTooMany:  // of reservations only
        break;
    }
    return TrySendResult::kClosed;
  }

  // Send() for a plain thread, which sleeps meanwhile (blocking.h).
  absl::Status SendBlocking(T value) { return BlockingWait(Send(std::move(value))); }
  // The same up to `timeout`: kDeadlineExceeded. `value` is untouched unless it was sent.
  absl::Status SendBlockingFor(T&& value, absl::Duration timeout) {
    SendFuture send = Send(std::move(value));
    std::optional<absl::Status> status =
        sync_internal::BlockUntilReady(send, sync_internal::DeadlineAfter(timeout));
    if (status && status->ok()) return *std::move(status);
    std::destroy_at(std::addressof(value));
    std::construct_at(std::addressof(value), std::move(send.value_));
    if (status) return *std::move(status);
    return absl::DeadlineExceededError("channel send: there was no room in time");
  }

  // Sends all of `values`, in order and as room comes; others' values may come in between. It
  // moves from them and must not outlive them. Ready with the number that was sent, which is
  // less than all only if the channel is closed.
  // Cancellation: what was sent stays sent, see sent(), for which the caller needs the
  // future: a combinator that drops it takes the number along. The rest is untouched.
  // Cost: one RMW for as many values as go into a block.
  SendManyFuture SendMany(absl::Span<T> values) { return SendManyFuture(state_, values); }

  // SendMany() for a plain thread, up to `timeout`: the number that was sent, which is less than
  // all if there was no room for more in time or the channel is closed. The rest is untouched.
  std::size_t SendManyBlockingFor(absl::Span<T> values, absl::Duration timeout) {
    SendManyFuture send = SendMany(values);
    static_cast<void>(sync_internal::BlockUntilReady(send, sync_internal::DeadlineAfter(timeout)));
    return send.sent();
  }

  // A permit once there is room: after that, sending neither waits nor fails. Or
  // kFailedPrecondition; or kResourceExhausted, as a channel has at most 65,535 permits at a time.
  // A plain thread waits by
  // BlockingWait(sender.Reserve()), or up to some time by BlockingWaitFor() (blocking.h).
  // Cancellation: dropping the future loses the place in the queue, no room and no value.
  ReserveFuture Reserve() { return ReserveFuture(state_); }
  // A permit if there is room now, and no more than that are out.
  [[nodiscard]] std::optional<Permit> TryReserve() {
    if (state_->TryReserve() != PushResult::kPushed) return std::nullopt;
    return Permit(state_);
  }

  // Refuses further values, whoever sends them. What is inside can still be received.
  void Close() { state_->Close(); }
  // Whether the channel is closed: because of Close(), or as all receivers are gone.
  [[nodiscard]] bool IsClosed() const { return state_->IsClosed(); }
  // The capacity; nothing if there is no limit.
  [[nodiscard]] std::optional<std::size_t> capacity() const { return state_->capacity(); }

  // A handle that does not keep the channel open.
  [[nodiscard]] BasicWeakSender<State> Downgrade() const;

 private:
  State* state_;
};

// Does not keep the channel open.
template <typename State>
class BasicWeakSender {
 public:
  explicit BasicWeakSender(State* state) noexcept : state_(state) { state_->AddWeak(); }
  BasicWeakSender(const BasicWeakSender& other) : state_(other.state_) {
    if (state_ != nullptr) state_->AddWeak();
  }
  BasicWeakSender(BasicWeakSender&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)) {}
  BasicWeakSender& operator=(BasicWeakSender other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~BasicWeakSender() {
    if (state_ != nullptr) state_->Release();
  }

  // A sender, if there is still one.
  [[nodiscard]] std::optional<BasicSender<State>> Upgrade() const {
    if (state_ == nullptr || !state_->TryAddSender()) return std::nullopt;
    return BasicSender<State>(state_);
  }

 private:
  State* state_;
};

template <typename State>
BasicWeakSender<State> BasicSender<State>::Downgrade() const {
  return BasicWeakSender<State>(state_);
}

}  // namespace home

#endif  // HOME_CHANNEL_SENDER_H_
