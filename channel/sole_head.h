// SoleHead: the consumer's end of a channel's queue, for a single consumer.
//
// It claims nothing: it looks into the next cell and takes what is there. No RMW a value, no
// mark in the cells, and a block is freed as soon as its last cell is empty. Only a bounded
// channel's senders have to learn where the head is: by one RMW for all values that were taken in
// one go, or by a store while no sender waits on another thread (biased_word.h).
//
// A consumer that finds a cell claimed and not filled yet has caught up with a producer that runs
// at this moment. It lets it get ahead (shared_head.h), or both would have the cells' lines go to
// and fro with every value.

#ifndef HOME_CHANNEL_SOLE_HEAD_H_
#define HOME_CHANNEL_SOLE_HEAD_H_

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/channel/biased_word.h"
#include "home/channel/block.h"
#include "home/channel/tail_end.h"

namespace home::channel_internal {

// All but position() by one thread at a time.
template <typename T, typename Policy>
class SoleHead {
 public:
  using Tail = TailEnd<T, Policy>;
  using Block = channel_internal::Block<T, Policy>;

  static constexpr bool kShared = false;

  // As SharedHead.
  SoleHead(bool bounded, bool may_be_biased) : bounded_(bounded), may_be_biased_(may_be_biased) {}
  SoleHead(const SoleHead&) = delete;
  SoleHead& operator=(const SoleHead&) = delete;

  [[nodiscard]] bool bounded() const { return bounded_; }

  // Once the queue is empty and nobody uses it.
  void FreeBlocks(const Tail& tail) {
    Block* const block = block_ != nullptr ? static_cast<Block*>(block_) : tail.first();
    if (block != nullptr) Policy::Delete(block);
  }

  // The position of the next value to take, for any thread. Only if the channel is bounded.
  [[nodiscard]] Position position() const {
    // seq_cst: the look of a sender (wait_queue.h).
    return published_.Load(std::memory_order_seq_cst) & ~kFlags;
  }

  // A sender is about to look at the position, and to sleep if there is no room.
  void BeforeLook() { published_.BeforeLook(); }

  [[nodiscard]] bool HasValueBefore(Position end) const {
    // The head stands at a cell, never in a gap, so that there is one from there on.
    return IsAfter(end, head_);
  }

  // As SharedHead::TryTakeAtOnce().
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TryTakeAtOnce(std::optional<T>& value) {
    Block* const block = block_;
    const Position head = head_;
    const std::size_t offset = Block::Offset(head);
    if (ABSL_PREDICT_FALSE(block == nullptr || offset + 1 == Block::kCells)) return false;
    auto& cell = block->cells[offset];
    if (!cell.IsFull()) return false;
    value.emplace(cell.Take());
    head_ = head + kStep;
    if (bounded_) {
      // acquire: as in Publish().
      Position word = published_.Load(std::memory_order_acquire);
      if (ABSL_PREDICT_FALSE(!published_.TryCompareExchange(word, WithFlag(head_, word)))) {
        Publish(head_, false);
      }
    }
    return true;
  }

  // As SharedHead::TryTake().
  template <typename Sink>
  std::size_t TryTake(std::size_t wanted, Tail& tail, Sink&& sink, Position& end) {
    std::size_t taken = 0;
    Position head = head_;
    const Block* const block = block_;
    while (taken != wanted && TakeOne(head, tail, sink, taken == 0, end)) ++taken;
    head_ = head;
    if (taken != 0 && bounded_)
      Publish(head, may_be_biased_ && block_ != block && Block::IsTurn(head));
    return taken;
  }

 private:
  template <typename U>
  using Plain = typename Policy::template Plain<U>;

  // Publishes room (wait_queue.h); at the end of a block perhaps the first of many by a store.
  ABSL_ATTRIBUTE_NOINLINE void Publish(Position head, bool is_turn) {
    // acquire: as BiasedWord asks for.
    Position word = published_.Load(std::memory_order_acquire);
    if (is_turn) head |= published_.EarnedBias(word);
    while (!published_.CompareExchange(word, WithFlag(head, word))) {
    }
  }
  static Position WithFlag(Position head, Position word) {
    return head | (word & BiasedWord<Policy>::kBiased);
  }

  // A value of a cell that is not full yet is worth the wait only for the `first`: it may
  // have been announced to us.
  template <typename Sink>
  bool TakeOne(Position& head, const Tail& tail, Sink& sink, bool first, Position& end) {
    Block* block = block_;
    if (ABSL_PREDICT_FALSE(block == nullptr)) {
      end = tail.position();
      if (!IsAfter(end, head)) return false;
      for (int attempt = 0; block == nullptr; ++attempt) {
        block = tail.first();
        if (block == nullptr) Policy::Relax(attempt);
      }
      block_ = block;
    }
    const std::size_t offset = Block::Offset(head);
    auto& cell = block->cells[offset];
    if (!cell.IsFull()) {
      if (!first) return false;
      end = tail.position();
      if (!IsAfter(end, head)) return false;
      Policy::Slip();
      cell.AwaitFull();
    }
    sink(cell.Take());
    head += kStep;
    if (ABSL_PREDICT_FALSE(offset + 1 == Block::kCells)) {
      head += kStep;
      block_ = block->AwaitNext();
      Policy::Delete(block);
    }
    return true;
  }

  Plain<Position> head_{0};
  Plain<Block*> block_{nullptr};
  BiasedWord<Policy> published_;
  const bool bounded_;
  const bool may_be_biased_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_SOLE_HEAD_H_
