// ChannelState: what the senders and receivers of one channel share.
//
//   senders -> TailEnd -> blocks -> Head -> receivers
//      sleep in senders_               sleep in receivers_
//
// The queue in the middle is told from those who wait for it: nothing is ever handed to a
// receiver that sleeps, so a value is in the queue until a receiver's poll returns it.
//
// Ends: the channel is closed by either side, or by the last sender or receiver that goes.
// The values in it can still be received; when the last receiver goes they are taken out and
// given to the hook for undelivered values, or destroyed.
//
// The handles are counted: senders_count_ and receivers_count_, and references_, of which all
// senders together hold one, all receivers one, and each weak sender one.

#ifndef HOME_CHANNEL_CHANNEL_STATE_H_
#define HOME_CHANNEL_CHANNEL_STATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/functional/any_invocable.h"
#include "home/channel/block.h"
#include "home/channel/sole_wait_queue.h"
#include "home/channel/tail_end.h"
#include "home/sync/wait_queue.h"

namespace home::channel_internal {

// `Head`: SharedHead or SoleHead.
template <typename T, typename Policy, template <typename, typename> typename Head>
class ChannelState {
 public:
  using Value = T;
  using PolicyType = Policy;
  using Tail = TailEnd<T, Policy>;
  using Undelivered = absl::AnyInvocable<void(T)>;

  static constexpr bool kManyReceivers = Head<T, Policy>::kShared;

  using SenderQueue = sync_internal::WaitQueue<Policy>;
  using ReceiverQueue =
      std::conditional_t<kManyReceivers, sync_internal::WaitQueue<Policy>, SoleWaitQueue<Policy>>;

  // Capacity 0 is a rendezvous: there is room for as many values as receivers wait.
  ChannelState(std::uint64_t capacity, Undelivered undelivered)
      : tail_(capacity),
        // A rendezvous's receivers look at the capacity after their claim (NotifyOfRoom()): an RMW
        // then orders the two.
        head_(tail_.bounded(), capacity != 0),
        rendezvous_(capacity == 0) {
    if (undelivered) undelivered_ = std::make_unique<Undelivered>(std::move(undelivered));
  }
  ChannelState(const ChannelState&) = delete;
  ChannelState& operator=(const ChannelState&) = delete;
  ~ChannelState() {
    Drain();
    head_.FreeBlocks(tail_);
  }

  // -- Sending -----------------------------------------------------------------------------

  // Leaves `value` untouched unless it is pushed.
  PushResult TryPush(T& value) {
    Claim<T, Policy> claim;
    const PushResult result = tail_.template TryClaim<false>(1, HeadPosition(), claim);
    if (result == PushResult::kPushed) {
      claim.block->cells[claim.offset].Put(std::move(value));
      receivers_.Notify();
    }
    return result;
  }
  // The same, but true only if nothing was in the way.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TryPushAtOnce(T& value) {
    auto* const cell = tail_.TryClaimAtOnce(HeadPosition());
    if (ABSL_PREDICT_FALSE(cell == nullptr)) return false;
    cell->Put(std::move(value));
    receivers_.Notify();
    return true;
  }
  // Pushes as many of the `count` values as there is room for in one go; tells how many. The
  // result is that of the first.
  PushResult TryPushMany(T* values, std::size_t count, std::size_t& pushed) {
    Claim<T, Policy> claim;
    pushed = 0;
    const PushResult result = tail_.template TryClaim<false>(count, HeadPosition(), claim);
    if (result != PushResult::kPushed) return result;
    for (std::size_t i = 0; i < claim.count; ++i) {
      claim.block->cells[claim.offset + i].Put(std::move(values[i]));
    }
    pushed = claim.count;
    receivers_.Notify(claim.count);
    return result;
  }

  PushResult TryReserve() { return tail_.TryReserve(HeadPosition()); }
  void PushReserved(T& value) {
    Claim<T, Policy> claim;
    static_cast<void>(tail_.template TryClaim<true>(1, HeadPosition(), claim));
    claim.block->cells[claim.offset].Put(std::move(value));
    receivers_.Notify();
    if constexpr (kManyReceivers) {
      // seq_cst: if the last receiver was not gone yet, it finds the value. pairs with:
      // DropReceiver().
      if (receivers_count_.load(std::memory_order_seq_cst) == 0) Drain();
    }
  }
  void CancelReservation() {
    tail_.CancelReservation();
    senders_.Notify();
    // It may have been the last that could still send.
    if (tail_.IsClosed()) receivers_.NotifyAll();
  }

  // For a sender that waits: it looks next.
  void BeforeLookForRoom() {
    head_.BeforeLook();
    tail_.BeforeLook();
  }
  [[nodiscard]] bool HasRoomOrEnd() { return tail_.HasRoomOrEnd(HeadPosition()); }

  // -- Receiving ---------------------------------------------------------------------------

  // Calls `sink(T&&)` for up to `wanted` values; their number.
  template <typename Sink>
  std::size_t TryTake(std::size_t wanted, Sink&& sink) {
    Position end = 0;
    return TryTake(wanted, sink, end);
  }
  // Takes one if nothing is in the way.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TryTakeAtOnce(std::optional<T>& value) {
    if (!head_.TryTakeAtOnce(value)) return false;
    if (head_.bounded()) NotifyOfRoom(1);
    return true;
  }
  // The same; true also if there is and will be no value. One look at the senders' line, which
  // each look takes from them.
  template <typename Sink>
  bool TryTakeOrEnd(std::size_t wanted, Sink&& sink) {
    Position end = 0;
    return TryTake(wanted, sink, end) != 0 || Tail::IsFinal(end);
  }
  // For a receiver that waits: it looks next.
  void BeforeLookForValue() { tail_.BeforeLook(); }
  // Whether there is and will be no value.
  [[nodiscard]] bool IsDrained() const {
    const Position end = tail_.position();
    return Tail::IsFinal(end) && !head_.HasValueBefore(end);
  }
  [[nodiscard]] bool HasValueOrEnd() const {
    const Position end = tail_.position();
    return head_.HasValueBefore(end) || Tail::IsFinal(end);
  }
  // A receiver of a rendezvous begins to wait, or stops.
  void Offer() {
    if (ABSL_PREDICT_TRUE(!rendezvous_)) return;
    tail_.AddCapacity(1);
    senders_.Notify();
  }
  void Withdraw() {
    if (ABSL_PREDICT_FALSE(rendezvous_)) tail_.AddCapacity(-1);
  }

  // -- Both --------------------------------------------------------------------------------

  void Close() {
    if (!tail_.Close()) return;
    receivers_.NotifyAll();
    senders_.NotifyAll();
  }
  [[nodiscard]] bool IsClosed() const { return tail_.IsClosed(); }
  // The capacity; nothing if there is no limit.
  [[nodiscard]] std::optional<std::size_t> capacity() const {
    if (rendezvous_) return 0;
    if (!head_.bounded()) return std::nullopt;
    return static_cast<std::size_t>(tail_.capacity());
  }

  SenderQueue& senders() { return senders_; }
  ReceiverQueue& receivers() { return receivers_; }

  // -- Handles -----------------------------------------------------------------------------

  // relaxed: a new handle is made from one that the caller holds.
  void AddSender() { senders_count_.fetch_add(1, std::memory_order_relaxed); }
  void AddReceiver() { receivers_count_.fetch_add(1, std::memory_order_relaxed); }
  void AddWeak() { references_.fetch_add(1, std::memory_order_relaxed); }

  // For a weak sender: false if there is no sender any more.
  [[nodiscard]] bool TryAddSender() {
    // relaxed, all: a count above 0 means that the senders hold their reference still.
    std::uint32_t count = senders_count_.load(std::memory_order_relaxed);
    do {
      if (count == 0) return false;
    } while (!senders_count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed,
                                                   std::memory_order_relaxed));
    return true;
  }

  void DropSender() {
    // release: what this sender did comes before the close. acquire: what all did. pairs
    // with: itself.
    if (senders_count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    Close();
    Release();
  }
  void DropReceiver() {
    // seq_cst: as above, and pairs with: PushReserved().
    if (receivers_count_.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
    BeforeLookForValue();
    Close();
    Drain();
    Release();
  }
  void Release() {
    // release: our uses come before the end. acquire: all others' do. pairs with: itself.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Policy::Delete(this);
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  template <typename Sink>
  std::size_t TryTake(std::size_t wanted, Sink& sink, Position& end) {
    const std::size_t taken = head_.TryTake(wanted, tail_, sink, end);
    if (taken != 0 && head_.bounded()) NotifyOfRoom(taken);
    return taken;
  }

  auto HeadPosition() const {
    return [this] { return head_.position(); };
  }

  // `taken` values have left.
  void NotifyOfRoom(std::size_t taken) {
    // A receiver of a rendezvous that has waited took its room with it. If there is some later
    // it comes from another, who tells of it.
    if (ABSL_PREDICT_FALSE(rendezvous_) && !HasRoomOrEnd()) return;
    senders_.Notify(taken);
  }

  // Takes out what nobody will receive.
  void Drain() {
    while (TryTake(1, [this](T&& value) {
             if (undelivered_ != nullptr) (*undelivered_)(std::move(value));
           }) != 0) {
    }
  }

  // The senders' line, the receivers', and one for each list. Who waits is looked at with
  // every value, and changes seldom.
  alignas(ABSL_CACHELINE_SIZE) Tail tail_;
  alignas(ABSL_CACHELINE_SIZE) Head<T, Policy> head_;
  // With the receivers, who ask with each value: on the senders' line it would cost them a
  // transfer.
  const bool rendezvous_;
  alignas(ABSL_CACHELINE_SIZE) ReceiverQueue receivers_;
  Atomic<std::uint32_t> senders_count_{1};
  Atomic<std::uint32_t> receivers_count_{1};
  Atomic<std::uint32_t> references_{2};
  std::unique_ptr<Undelivered> undelivered_;
  alignas(ABSL_CACHELINE_SIZE) SenderQueue senders_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_CHANNEL_STATE_H_
