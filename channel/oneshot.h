// Oneshot: a channel for one value.
//
//   auto [sender, receiver] = MakeOneshot<Reply>();
//   Spawn(Ask(std::move(question), std::move(sender)));
//   absl::StatusOr<Reply> reply = co_await receiver;
//
// The receiver is itself the future of the value. The sender sends without waiting, and
// can wait for the receiver to give up, so as to stop working for nobody:
//
//   auto done = co_await Select(Compute(), sender.Closed());
//
// T may be move-only; it must move and be destroyed without throwing.
//
// Thread-safety: either end by one thread at a time, the two by different ones at once.
// Memory ordering: what precedes Send() happens before what follows the receipt; what
// precedes the receiver's end happens before a Closed() that it made ready.
// Cost: one allocation for both ends, from the recycling cache of frames. Send() is one
// RMW; a receipt is none if the value is there already and one if it has to wait.
// Cancellation: dropping the receiver before it is ready tells the sender that nobody
// waits. A value that was sent and not received by then goes to the hook that
// MakeOneshot() was given, or is destroyed.
//
// -- State ---------------------------------------------------------------------------
//
//   31 ........ 6    5       4        3       2        1      0
//  +-------------+--------+--------+--------+--------+------+------+
//  | registration| sender |receiver|receiver| closed |sender| sent |
//  |   number    |  waits | waits  |  gone  |        | gone |      |
//  +-------------+--------+--------+--------+--------+------+------+
//
//  I1  sent comes with sender gone, in one step; receiver gone with closed. Sent and
//      closed exclude one another until the receiver is gone, except that a value that
//      was sent before Close() may still be received.
//  I2  An end that is gone touches the cell no more. Whoever sees the other end gone owns
//      the cell alone, and frees it when it goes itself.
//  I3  The slot of an end's waker belongs to that end; while its bit `waits` is set it may
//      be read by anybody, and belongs to whoever clears the bit.
//  I4  Each time that a bit `waits` is set the number grows. So a CAS that clears the bit
//      proves that the word read from the slot before it was that of the waker, still in there.
//
// That a waker is read before it is owned (I4) is what makes one RMW enough: the step that
// publishes the value takes the waker along, and the cell is the receiver's at once.

#ifndef HOME_CHANNEL_ONESHOT_H_
#define HOME_CHANNEL_ONESHOT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/channel/channel_policy.h"
#include "home/channel/shared_waker_slot.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/sync/blocking.h"

namespace home {
namespace channel_internal {

// What both ends share.
template <ChannelValue T, typename Policy>
class OneshotCell {
 public:
  using Undelivered = absl::AnyInvocable<void(T)>;

  explicit OneshotCell(Undelivered undelivered) : undelivered_(std::move(undelivered)) {}
  OneshotCell(const OneshotCell&) = delete;
  OneshotCell& operator=(const OneshotCell&) = delete;

  ~OneshotCell() {}  // NOLINT: the value comes and goes by itself.

  // -- The sender's end ------------------------------------------------------------------

  // True: the value was sent. False: nobody wants it, and `value` is untouched. The
  // sender is gone in either case.
  bool Send(T&& value) {
    // acquire: the receiver's waker (I3). pairs with: Register().
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    if ((seen & kClosed) == 0) {
      std::construct_at(std::addressof(value_), std::move(value));
      do {
        WakerTarget* const waker = Read(receiver_waker_, seen, kReceiverWaits);
        // release: the value. acquire: that the receiver's registration is ours. pairs
        // with: the receiver's loads and Register(). acquire on failure: as the load.
        if (state_.compare_exchange_weak(seen, (seen | kSent | kSenderGone) & ~kReceiverWaits,
                                         std::memory_order_acq_rel, std::memory_order_acquire)) {
          Waker(waker).Wake();
          return true;
        }
      } while ((seen & kClosed) == 0);
      std::destroy_at(std::addressof(value));
      std::construct_at(std::addressof(value), std::move(value_));
      std::destroy_at(std::addressof(value_));
    }
    DropSender();
    return false;
  }

  void DropSender() {
    if (Leave(kSenderGone, kReceiverGone, kReceiverWaits, receiver_waker_)) Policy::Delete(this);
  }

  // The sender's side of Closed(): true once nobody wants a value. Registers `waker`
  // otherwise.
  bool PollClosed(const Waker& waker) {
    return Register(waker, kClosed, kSenderWaits, sender_waker_);
  }
  void ForgetSenderWaker() { Unregister(kSenderWaits, sender_waker_); }
  [[nodiscard]] bool IsClosed() const {
    // acquire: what the receiver did before. pairs with: Close() and DropReceiver().
    return (state_.load(std::memory_order_acquire) & kClosed) != 0;
  }

  // -- The receiver's end ----------------------------------------------------------------

  // What the receiver sees of the sender.
  enum class Outcome : std::uint8_t {
    kNone,    // neither sent nor gone
    kValue,   // TakeValue() has it
    kNoMore,  // there will be no value
  };

  [[nodiscard]] Outcome Look() const {
    // acquire: the value; and all that the sender did, who is gone (I2). pairs with:
    // Send() and DropSender().
    const std::uint32_t seen = state_.load(std::memory_order_acquire);
    if ((seen & kSent) != 0) return Outcome::kValue;
    return (seen & (kSenderGone | kClosed)) != 0 ? Outcome::kNoMore : Outcome::kNone;
  }
  // After kValue: the value; the cell is gone.
  [[nodiscard]] T TakeValue() {
    T value = std::move(value_);
    std::destroy_at(std::addressof(value_));
    Policy::Delete(this);
    return value;
  }
  // True if Look() would not say kNone. Registers `waker` otherwise.
  bool PollSent(const Waker& waker) {
    return Register(waker, kSenderGone | kClosed, kReceiverWaits, receiver_waker_);
  }
  void ForgetReceiverWaker() { Unregister(kReceiverWaits, receiver_waker_); }

  void Close() {
    // acquire: the sender's waker (I3). pairs with: Register().
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    while ((seen & (kSent | kClosed)) == 0) {
      WakerTarget* const waker = Read(sender_waker_, seen, kSenderWaits);
      // release: what the receiver did before, for Closed(). acquire: as in Send().
      if (state_.compare_exchange_weak(seen, (seen | kClosed) & ~kSenderWaits,
                                       std::memory_order_acq_rel, std::memory_order_acquire)) {
        Waker(waker).Wake();
        return;
      }
    }
  }

  void DropReceiver() {
    ForgetReceiverWaker();
    if (!Leave(kReceiverGone | kClosed, kSenderGone, kSenderWaits, sender_waker_)) return;
    // relaxed: Leave() has acquired all of the sender's.
    if ((state_.load(std::memory_order_relaxed) & kSent) == 0) {
      Policy::Delete(this);
      return;
    }
    // The hook may do anything, also end the program: the cell goes first.
    Undelivered undelivered = std::move(undelivered_);
    T value = TakeValue();
    if (undelivered) undelivered(std::move(value));
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  static constexpr std::uint32_t kSent = 1;
  static constexpr std::uint32_t kSenderGone = 2;
  static constexpr std::uint32_t kClosed = 4;
  static constexpr std::uint32_t kReceiverGone = 8;
  static constexpr std::uint32_t kReceiverWaits = 16;
  static constexpr std::uint32_t kSenderWaits = 32;
  static constexpr std::uint32_t kRegistration = 64;

  using Slot = SharedWakerSlot<Policy>;

  // Whom the waker in `slot` wakes if `state` has `waits`, or null (I4).
  static WakerTarget* Read(const Slot& slot, std::uint32_t state, std::uint32_t waits) {
    return (state & waits) != 0 ? slot.Get() : nullptr;
  }

  // An end goes, and wakes the other one if it waits. True if that one is gone: then the
  // cell is the caller's.
  bool Leave(std::uint32_t gone, std::uint32_t other_gone, std::uint32_t waits, const Slot& slot) {
    // acquire: all that the other end did, if it is gone; else its waker. pairs with: the
    // RMWs here and in Send(), and Register().
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    while ((seen & other_gone) == 0) {
      WakerTarget* const waker = Read(slot, seen, waits);
      // release: our use of the cell is over (I2). acquire: as the load.
      if (state_.compare_exchange_weak(seen, (seen | gone) & ~waits, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
        Waker(waker).Wake();
        return false;
      }
    }
    return true;
  }

  bool Register(const Waker& current, std::uint32_t done, std::uint32_t waits, Slot& slot) {
    Waker replaced;  // dropped last: that may run anybody's code
    Waker fresh;
    bool cloned = false;
    // acquire: see Look() and IsClosed().
    std::uint32_t seen = state_.load(std::memory_order_acquire);
    while ((seen & done) == 0) {
      if ((seen & waits) != 0) {
        WakerTarget* const mine = slot.Get();
        if (mine == current.target()) return false;
        // acquire: the other end has not taken it. relaxed would do, but for `done`.
        if (state_.compare_exchange_weak(seen, seen & ~waits, std::memory_order_acquire,
                                         std::memory_order_acquire)) {
          replaced = Waker(mine);
          seen &= ~waits;
        }
        continue;
      }
      if (!cloned) {
        fresh = current.Clone();
        cloned = true;
      }
      slot.Put(fresh);
      // release: the slot. pairs with: the loads and RMWs by which others read it.
      if (state_.compare_exchange_weak(seen, (seen | waits) + kRegistration,
                                       std::memory_order_acq_rel, std::memory_order_acquire)) {
        const BorrowedWaker given_away(std::move(fresh));
        return false;
      }
    }
    return true;
  }

  void Unregister(std::uint32_t waits, const Slot& slot) {
    // relaxed, all: the slot is our own, and nothing else is learnt.
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    while ((seen & waits) != 0) {
      WakerTarget* const mine = slot.Get();
      if (state_.compare_exchange_weak(seen, seen & ~waits, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
        const Waker dropped(mine);
        return;
      }
    }
  }

  Atomic<std::uint32_t> state_{0};
  Slot receiver_waker_;
  Slot sender_waker_;
  union {
    T value_;  // There from kSent on, until it is taken.
  };
  Undelivered undelivered_;
};

}  // namespace channel_internal

// The sending end. Move-only; empty after Send(). Dropping it tells the receiver.
template <ChannelValue T, typename Policy = ChannelPolicy>
class OneshotSender {
  using Cell = channel_internal::OneshotCell<T, Policy>;

 public:
  // What Closed() returns.
  class [[nodiscard]] ClosedFuture {
   public:
    using Output = void;

    explicit ClosedFuture(Cell* cell) noexcept : cell_(cell) {}
    ClosedFuture(ClosedFuture&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
    ClosedFuture& operator=(ClosedFuture&&) = delete;
    ~ClosedFuture() {
      if (cell_ != nullptr) cell_->ForgetSenderWaker();
    }

    home::Poll<void> Poll(Context& cx) {
      if (!cell_->PollClosed(cx.waker())) return cx.PendingFor("a receiver to go");
      cell_ = nullptr;
      return kReady;
    }

   private:
    Cell* cell_;
  };

  explicit OneshotSender(Cell* cell) noexcept : cell_(cell) {}
  OneshotSender(OneshotSender&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  OneshotSender& operator=(OneshotSender&& other) noexcept {
    OneshotSender old(std::move(*this));
    cell_ = std::exchange(other.cell_, nullptr);
    return *this;
  }
  ~OneshotSender() {
    if (cell_ != nullptr) cell_->DropSender();
  }

  // Sends `value` and never waits. False, with `value` untouched, if the receiver is gone
  // or has closed the channel. The sender is empty afterwards. True says that the value was
  // accepted, not that it will be received.
  [[nodiscard]] bool Send(T&& value) {
    if (cell_ == nullptr) Fatal("OneshotSender::Send() of a sender that is empty");
    return std::exchange(cell_, nullptr)->Send(std::move(value));
  }

  // A future that is ready once nobody waits for the value: the receiver is gone or has
  // closed the channel. At most one at a time; the sender must outlive it and must not send
  // while it is there.
  // Cancellation: dropping it loses nothing.
  [[nodiscard]] ClosedFuture Closed() {
    if (cell_ == nullptr) Fatal("OneshotSender::Closed() of a sender that is empty");
    return ClosedFuture(cell_);
  }
  // The same at this moment.
  [[nodiscard]] bool IsClosed() const { return cell_ == nullptr || cell_->IsClosed(); }

 private:
  Cell* cell_;
};

// The receiving end, and the future of the value: kCancelled if the sender went without
// sending, or if the channel was closed first. Move-only, at any time. Not to be used after
// it was ready.
template <ChannelValue T, typename Policy = ChannelPolicy>
class [[nodiscard]] OneshotReceiver {
  using Cell = channel_internal::OneshotCell<T, Policy>;

 public:
  using Output = absl::StatusOr<T>;

  // What Recv() returns: waits for a receiver that stays where it is.
  class [[nodiscard]] RecvFuture {
   public:
    using Output = absl::StatusOr<T>;

    explicit RecvFuture(OneshotReceiver& receiver) noexcept : receiver_(&receiver) {}
    RecvFuture(RecvFuture&& other) noexcept : receiver_(std::exchange(other.receiver_, nullptr)) {}
    RecvFuture& operator=(RecvFuture&&) = delete;
    ~RecvFuture() {
      if (receiver_ != nullptr && receiver_->cell_ != nullptr) {
        receiver_->cell_->ForgetReceiverWaker();
      }
    }

    home::Poll<Output> Poll(Context& cx) { return receiver_->Poll(cx); }

   private:
    OneshotReceiver* receiver_;
  };

  explicit OneshotReceiver(Cell* cell) noexcept : cell_(cell) {}
  OneshotReceiver(OneshotReceiver&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  OneshotReceiver& operator=(OneshotReceiver&& other) noexcept {
    OneshotReceiver old(std::move(*this));
    cell_ = std::exchange(other.cell_, nullptr);
    return *this;
  }
  ~OneshotReceiver() {
    if (cell_ != nullptr) cell_->DropReceiver();
  }

  home::Poll<Output> Poll(Context& cx) {
    CheckNotEmpty();
    if (cell_->Look() == Cell::Outcome::kNone && !cell_->PollSent(cx.waker())) {
      return cx.PendingFor("a value to receive");
    }
    if (!cx.ConsumeBudget()) return kPending;
    return Take();
  }

  // The value's future without giving the receiver away, for a Select in a loop. The
  // receiver must outlive it, and stay.
  // Cancellation: dropping it loses nothing, the value stays in the channel.
  [[nodiscard]] RecvFuture Recv() { return RecvFuture(*this); }

  // What there is now: the value; kCancelled as above; or kUnavailable, and the receiver
  // remains.
  [[nodiscard]] absl::StatusOr<T> TryRecv() {
    CheckNotEmpty();
    if (cell_->Look() == Cell::Outcome::kNone) {
      return absl::UnavailableError("oneshot receive: nothing was sent yet");
    }
    return Take();
  }

  // Waits on a plain thread (blocking.h).
  [[nodiscard]] absl::StatusOr<T> RecvBlocking() { return BlockingWait(Recv()); }
  // The same up to `timeout`: kDeadlineExceeded, and the receiver remains.
  [[nodiscard]] absl::StatusOr<T> RecvBlockingFor(absl::Duration timeout) {
    auto received = BlockingWaitFor(Recv(), timeout);
    if (!received) return absl::DeadlineExceededError("oneshot receive: nothing was sent in time");
    return *std::move(received);
  }

  // Refuses a value that was not sent yet; one that was can still be received.
  void Close() {
    CheckNotEmpty();
    cell_->Close();
  }

 private:
  void CheckNotEmpty() const {
    if (cell_ == nullptr) Fatal("a OneshotReceiver was used after it had received, or moved away");
  }
  absl::StatusOr<T> Take() {
    Cell* const cell = std::exchange(cell_, nullptr);
    if (cell->Look() == Cell::Outcome::kValue) return cell->TakeValue();
    cell->DropReceiver();
    return absl::CancelledError("oneshot receive: no value was sent");
  }

  Cell* cell_;
};

// The two ends of a new channel. `undelivered`, if it is given, is called with a value
// that was sent but never received, on the thread that drops the receiver.
template <ChannelValue T, typename Policy = ChannelPolicy>
[[nodiscard]] std::pair<OneshotSender<T, Policy>, OneshotReceiver<T, Policy>> MakeOneshot(
    absl::AnyInvocable<void(T)> undelivered = nullptr) {
  using Cell = channel_internal::OneshotCell<T, Policy>;
  Cell* const cell = Policy::template New<Cell>(std::move(undelivered));
  return {OneshotSender<T, Policy>(cell), OneshotReceiver<T, Policy>(cell)};
}

}  // namespace home

#endif  // HOME_CHANNEL_ONESHOT_H_
