// SharedHead: the consumers' end of a channel's queue, for any number of them.
//
// A consumer claims the oldest cells by a CAS, and only cells that were claimed by a producer
// before: it waits for no value, but perhaps a moment for the producer to fill its cell.
//
// Invariants
//  I1  head <= tail. A position is claimed once.
//  I2  head_block_ is the block of head_, unless that is a gap. Whoever claims a block's last
//      cell moves both on. It is used as the producers use theirs (tail_end.h, I3).
//  I3  A block is freed when all its cells have been left. Whoever took the last cell looks, and
//      if a cell is still being read puts the block aside for those who come to a block's end
//      later. So there is at most one such block for each consumer that was interrupted while it
//      took a value, and none is freed under it.
//
// To leave a cell is a store. That its reader tells whoever waits for it would take an RMW for
// every value, so that one of the two sees the other: a fifth of what sending and receiving cost.
//
// Consumers that are as fast as the producers follow them from value to value, and each look for
// the next one takes the producers' cache line away and gives it back: some transfers between
// processors for each value. So who finds that out waits for a moment, and comes back to a run of
// values. It is the temporal slipping of Giacomoni, Moseley and Vachharajani's FastForward
// ("FastForward for Efficient Pipeline Parallelism", PPoPP 2008). Whoever finds nothing goes to
// sleep at once, so that where values come one by one none of them waits for that.

#ifndef HOME_CHANNEL_SHARED_HEAD_H_
#define HOME_CHANNEL_SHARED_HEAD_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/channel/biased_word.h"
#include "home/channel/block.h"
#include "home/channel/contention.h"
#include "home/channel/tail_end.h"

namespace home::channel_internal {

template <typename T, typename Policy>
class SharedHead {
 public:
  using Tail = TailEnd<T, Policy>;
  using Block = channel_internal::Block<T, Policy>;
  using Claim = channel_internal::Claim<T, Policy>;

  static constexpr bool kShared = true;

  // `bounded`: the tail is, and senders wait for room. `may_be_biased`: the head (biased_word.h).
  SharedHead(bool bounded, bool may_be_biased) : bounded_(bounded), may_be_biased_(may_be_biased) {}
  SharedHead(const SharedHead&) = delete;
  SharedHead& operator=(const SharedHead&) = delete;

  [[nodiscard]] bool bounded() const { return bounded_; }

  // Once the queue is empty and nobody uses it.
  void FreeBlocks(const Tail& tail) {
    // relaxed, all: see the caller.
    Block* block = head_block_.load(std::memory_order_relaxed);
    if (block == nullptr) block = tail.first();
    if (block != nullptr) Policy::Delete(block);
    for (block = aside_.load(std::memory_order_relaxed); block != nullptr;) {
      Policy::Delete(std::exchange(block, block->next.load(std::memory_order_relaxed)));
    }
  }

  // The position of the next value to take.
  [[nodiscard]] Position position() const {
    // seq_cst: the look of a sender (wait_queue.h).
    return head_.Load(std::memory_order_seq_cst) & ~kFlags;
  }

  // A sender is about to look at the position, and to sleep if there is no room.
  void BeforeLook() { head_.BeforeLook(); }

  // Whether there is a value before `end`, a position of the tail.
  [[nodiscard]] bool HasValueBefore(Position end) const {
    const Position head = position();
    return IsAfter(end, head) && Block::Distance(head, end) != 0;
  }

  // Takes a value if nothing is in the way: it is known to be there, its cell is not its block's
  // last, and no other thread interferes. Else TryTake() tells.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool TryTakeAtOnce(std::optional<T>& value) {
    // acquire, and all below: as in TryClaim().
    Position head = head_.Load(std::memory_order_acquire);
    const std::size_t offset = Block::Offset(head);
    if (ABSL_PREDICT_FALSE(offset + 1 >= Block::kCells)) return false;
    if (!IsAfter(known_tail_.load(std::memory_order_relaxed), head)) return false;
    Block* const block = head_block_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_FALSE(block == nullptr)) return false;
    if (ABSL_PREDICT_FALSE(!head_.TryCompareExchange(head, head + kStep))) {
      if ((head & BiasedWord<Policy>::kBiased) == 0) LoseRace(head);
      return false;
    }
    auto& cell = block->cells[offset];
    if (ABSL_PREDICT_FALSE(!cell.IsFull())) cell.AwaitFull();
    value.emplace(cell.Take());
    cell.Leave();
    return true;
  }

  // Takes up to `wanted` values, in order, for each of which it calls `sink(T&&)`. Returns
  // their number; 0 if there is none, at some moment of the call: `end` is where the tail was.
  template <typename Sink>
  std::size_t TryTake(std::size_t wanted, Tail& tail, Sink&& sink, Position& end) {
    Claim claim;
    if (!TryClaim(wanted, tail, claim, end)) return 0;
    Block* const block = claim.block;
    for (std::size_t i = claim.offset; i < claim.offset + claim.count; ++i) {
      auto& cell = block->cells[i];
      if (ABSL_PREDICT_FALSE(!cell.IsFull())) cell.AwaitFull();
      sink(cell.Take());
      // From here on the block may be gone, unless it has claimed cells of ours.
      cell.Leave();
    }
    if (claim.offset + claim.count == Block::kCells) Free(block);
    return claim.count;
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  bool TryClaim(std::size_t wanted, Tail& tail, Claim& claim, Position& end) {
    int attempt = 0;
    bool slipped = false;
    // acquire: what I2 says of head_block_. A guess, which the CAS verifies. seq_cst is not
    // needed: a value too old makes the CAS fail, and no value is too new.
    Position head = head_.Load(std::memory_order_acquire);
    for (;;) {
      const std::size_t offset = Block::Offset(head);
      if (ABSL_PREDICT_FALSE(offset == Block::kCells)) {
        Policy::Relax(attempt++);
        // acquire: as above; likewise below.
        head = head_.Load(std::memory_order_acquire);
        continue;
      }
      // relaxed: some value that the tail has had. Mostly this spares the consumers a look at
      // the producers' line, and the producers the loss of it.
      Position known = known_tail_.load(std::memory_order_relaxed);
      if (!IsAfter(known, head)) {
        if (ABSL_PREDICT_FALSE(FollowsClosely()) && !slipped) {
          slipped = true;
          Policy::Slip();
          // acquire: as above. Others may have gone on meanwhile.
          head = head_.Load(std::memory_order_acquire);
          continue;
        }
        if (!LookAtTail(head, tail, known, end)) return false;
      }
      const std::uint64_t available = Block::Distance(head, known);
      std::size_t count = 1;
      if (wanted != 1) {
        count = static_cast<std::size_t>(
            std::min<std::uint64_t>({wanted, Block::kCells - offset, available}));
      }
      Block* block = CurrentBlock(tail);
      if (ABSL_PREDICT_FALSE(block == nullptr)) {
        Policy::Relax(attempt++);
        head = head_.Load(std::memory_order_acquire);
        continue;
      }
      const Position claimed = head + count * kStep;
      const bool was_biased = (head & BiasedWord<Policy>::kBiased) != 0;
      // The claim, a publication of room (wait_queue.h).
      if (ABSL_PREDICT_TRUE(head_.CompareExchange(head, claimed))) {
        claim = {block, offset, count};
        if (ABSL_PREDICT_FALSE(offset + count == Block::kCells)) MoveOn(block, head);
        return true;
      }
      // As in TailEnd::ClaimWith().
      if (!was_biased) head = LoseRace(head);
    }
  }

  // False if there is no value at `head`.
  bool LookAtTail(Position head, const Tail& tail, Position& known, Position& end) {
    known = tail.position();
    end = known;
    const bool found = IsAfter(known, head);
    // relaxed: as where it is read.
    if (found) known_tail_.store(known, std::memory_order_relaxed);
    NoteRun(found && Block::Distance(head, known) < Policy::kFewValues);
    return found;
  }

  // Whether consumers follow the producers from value to value: the last looks at the tail found
  // few. They let the producers get ahead then (see above).
  [[nodiscard]] bool FollowsClosely() const {
    if constexpr (Policy::kFewRuns == 0) return false;
    // relaxed, here and below: a guess, which costs time where it is wrong.
    return few_runs_.load(std::memory_order_relaxed) >= Policy::kFewRuns;
  }
  // A look at the tail found `few` values; or none, or many.
  void NoteRun(bool few) {
    if constexpr (Policy::kFewRuns == 0) return;
    const std::uint8_t runs = few_runs_.load(std::memory_order_relaxed);
    const std::uint8_t next = few ? std::min<std::uint8_t>(runs + 1, Policy::kFewRuns) : 0;
    if (next != runs) few_runs_.store(next, std::memory_order_relaxed);
  }

  // As TailEnd's.
  ABSL_ATTRIBUTE_NOINLINE Position LoseRace(Position head) {
    // acquire: as in TryClaim().
    return contention_.Wait(head, [this] { return head_.Load(std::memory_order_acquire); });
  }

  Block* CurrentBlock(const Tail& tail) {
    // acquire: the block. pairs with: MoveOn().
    Block* block = head_block_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_TRUE(block != nullptr)) return block;
    // Null still if the first producer is just about to tell.
    Block* const first = tail.first();
    if (first == nullptr) return nullptr;
    // release, acquire: publishes what tail.first() said. On failure somebody else did, and
    // the block may be any later one (I2).
    if (head_block_.compare_exchange_strong(block, first, std::memory_order_acq_rel,
                                            std::memory_order_acquire)) {
      return first;
    }
    return block;
  }

  // Moves on to the block behind `block` (I2).
  void MoveOn(Block* block, Position position) {
    // release: the new block. pairs with: CurrentBlock(). Whoever sees the head in the new block
    // sees it in head_block_.
    head_block_.store(block->AwaitNext(), std::memory_order_release);
    head_.PassGap(kStep, may_be_biased_ && Block::IsTurn(position));
  }

  // Frees a block whose last cell the caller has left, and those that were put aside, if nobody
  // reads them any more (I3).
  ABSL_ATTRIBUTE_NOINLINE void Free(Block* block) {
    // relaxed: what is put aside meanwhile is found at the next block's end.
    if (aside_.load(std::memory_order_relaxed) != nullptr) {
      // acquire: the blocks. pairs with: FreeOrPutAside().
      for (Block* other = aside_.exchange(nullptr, std::memory_order_acquire); other != nullptr;) {
        // relaxed: the list is ours.
        Block* const next = other->next.load(std::memory_order_relaxed);
        FreeOrPutAside(other);
        other = next;
      }
    }
    FreeOrPutAside(block);
  }
  void FreeOrPutAside(Block* block) {
    if (block->WasLeft()) return Policy::Delete(block);
    // relaxed: the CAS verifies it.
    Block* first = aside_.load(std::memory_order_relaxed);
    do {
      // relaxed: published by the CAS. Nobody else uses the link: the head is behind it.
      block->next.store(first, std::memory_order_relaxed);
      // release: the link, and what this thread knows of the block. pairs with: Free().
    } while (!aside_.compare_exchange_weak(first, block, std::memory_order_release,
                                           std::memory_order_relaxed));
  }

  BiasedWord<Policy> head_;
  Atomic<Block*> head_block_{nullptr};
  Atomic<Position> known_tail_{0};    // Some value that the tail has had, with its flags.
  Atomic<Block*> aside_{nullptr};     // Blocks that wait for a reader (I3).
  Atomic<std::uint8_t> few_runs_{0};  // Looks in a row that found few values.
  Contention<Policy> contention_;
  // Here, because the senders' line is better left alone.
  const bool bounded_;
  const bool may_be_biased_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_SHARED_HEAD_H_
