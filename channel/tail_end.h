// TailEnd: the producers' end of a channel's queue.
//
// Producers claim cells in order, by a CAS on one word, and fill them. The word holds
// everything that a claim depends on, so that each operation of a sender is one RMW, or a
// store if it is the only one for long (biased_word.h):
//
//   word_   63 ............ 18    17     16 ......... 1     0
//          +------------------+--------+---------------+--------+
//          |     position     | biased |   reserved    | closed |
//          +------------------+--------+---------------+--------+
//   position  of the next cell
//   reserved  permits: room that is promised and not used yet
//   closed    no more claims, but for permits
//
// Bounded: a claim has to leave cells between head and position, plus reserved, within the
// capacity. The head only grows, so that room that was seen once is still there when the CAS
// succeeds. Positions, blocks and the gap: block.h.
//
// Invariants
//  I1  A position is claimed once. Its claimer fills the cell without waiting for anybody.
//  I2  tail_block_ is the block of position, unless that is a gap. Whoever claims a block's
//      last cell has the next block at hand; it alone moves tail_block_, then position, on.
//  I3  So if tail_block_ was read after the word, and the CAS finds the word unchanged, it is
//      the position's block. It is used only then: a claimed cell keeps its block.
//  I4  Once closed is set and reserved is 0, the position does not change any more.
//
// The blocks with a gap are those of crossbeam's list channel. Koval, Alistarh and Elizarov
// ("Fast and Scalable Channels in Kotlin Coroutines", PPoPP 2023) claim by fetch_add at both
// ends, with a third counter for the capacity, and match senders with receivers in the cells.
// A cell may then be poisoned by either side, so it has a state machine of its own, with CASes
// where a store and a load do here. Here what waits is kept apart from what is in the queue
// (wait_queue.h), a receiver claims only what is there, and a value has one way to go.

#ifndef HOME_CHANNEL_TAIL_END_H_
#define HOME_CHANNEL_TAIL_END_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/channel/biased_word.h"
#include "home/channel/block.h"
#include "home/channel/contention.h"

namespace home::channel_internal {

enum class PushResult : std::uint8_t {
  kPushed,
  kFull,
  kClosed,
  kTooMany,  // there is room, but no further permit can be counted
};

// The cells that a thread has claimed: `count` of `block`, from `offset` on.
template <typename T, typename Policy>
struct Claim {
  Block<T, Policy>* block = nullptr;
  std::size_t offset = 0;
  std::size_t count = 0;
};

template <typename T, typename Policy>
class TailEnd {
 public:
  using Block = channel_internal::Block<T, Policy>;
  using Claim = channel_internal::Claim<T, Policy>;

  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  explicit TailEnd(std::uint64_t capacity) : capacity_(capacity) {}
  TailEnd(const TailEnd&) = delete;
  TailEnd& operator=(const TailEnd&) = delete;

  // Claims up to `wanted` cells; on kPushed the caller has at least one, and fills it now.
  // With `kReserved`, one for a permit, which always succeeds. `head()` is the head's position,
  // by a seq_cst load.
  template <bool kReserved, typename Head>
  PushResult TryClaim(std::size_t wanted, const Head& head, Claim& claim) {
    Block* fresh = nullptr;
    const PushResult result = ClaimWith<kReserved>(wanted, head, claim, fresh);
    if (ABSL_PREDICT_FALSE(fresh != nullptr)) Policy::Delete(fresh);
    return result;
  }

  // Claims a cell if nothing is in the way: the next one is not its block's last, there is room,
  // and no other thread interferes. Else null, and TryClaim() tells.
  template <typename Head>
  ABSL_ATTRIBUTE_ALWAYS_INLINE typename Block::Cell* TryClaimAtOnce(const Head& head) {
    // seq_cst: as in ClaimWith().
    std::uint64_t word = word_.Load(std::memory_order_seq_cst);
    const std::size_t offset = Block::Offset(word);
    if (ABSL_PREDICT_FALSE((word & kClosed) != 0 || offset + 1 >= Block::kCells)) return nullptr;
    if (ABSL_PREDICT_FALSE(!HasRoom(word, head))) return nullptr;
    // acquire: as in ClaimWith().
    Block* const block = tail_block_.load(std::memory_order_acquire);
    if (ABSL_PREDICT_FALSE(block == nullptr)) return nullptr;
    if (ABSL_PREDICT_FALSE(!word_.TryCompareExchange(word, word + kStep))) {
      if ((word & BiasedWord<Policy>::kBiased) == 0) LoseRace(word);
      return nullptr;
    }
    return &block->cells[offset];
  }

  // Promises room for one value: kPushed, or as above.
  template <typename Head>
  PushResult TryReserve(const Head& head) {
    // seq_cst: as in ClaimWith().
    std::uint64_t word = word_.Load(std::memory_order_seq_cst);
    do {
      if ((word & kClosed) != 0) return PushResult::kClosed;
      if (!HasRoom(word, head)) return PushResult::kFull;
      if ((word & kReserved) == kReserved) return PushResult::kTooMany;
    } while (!word_.CompareExchange(word, word + kReservedOne));
    return PushResult::kPushed;
  }
  // Gives a promise back. The caller notifies senders, and receivers if nothing will come.
  void CancelReservation() {
    // acquire: as BiasedWord asks for. The change is a publication of room, and of the end
    // (wait_queue.h).
    std::uint64_t word = word_.Load(std::memory_order_acquire);
    while (!word_.CompareExchange(word, word - kReservedOne)) {
    }
  }

  // Refuses what is not reserved from now on. True for the first caller.
  bool Close() {
    // acquire: what preceded another's Close(). The change is a publication of the end.
    std::uint64_t word = word_.Load(std::memory_order_acquire);
    do {
      if ((word & kClosed) != 0) return false;
    } while (!word_.CompareExchange(word, word | kClosed));
    return true;
  }

  [[nodiscard]] bool IsClosed() const {
    // acquire: what preceded the Close().
    return (word_.Load(std::memory_order_acquire) & kClosed) != 0;
  }
  // The position, and flags.
  [[nodiscard]] Position position() const {
    // seq_cst: the look of a receiver (wait_queue.h).
    return word_.Load(std::memory_order_seq_cst);
  }
  // Whether such a position is the last one for ever (I4).
  [[nodiscard]] static bool IsFinal(Position position) {
    return (position & (kClosed | kReserved)) == kClosed;
  }
  // Whether TryClaim() would find room, or the end.
  template <typename Head>
  [[nodiscard]] bool HasRoomOrEnd(const Head& head) {
    // seq_cst: the look of a sender.
    const std::uint64_t word = word_.Load(std::memory_order_seq_cst);
    return (word & kClosed) != 0 || HasRoom(word, head);
  }

  // The very first block; null before the first claim.
  [[nodiscard]] Block* first() const {
    // acquire: the block. pairs with: InstallFirst().
    return first_.load(std::memory_order_acquire);
  }

  [[nodiscard]] bool bounded() const { return capacity() != kUnlimited; }
  [[nodiscard]] std::uint64_t capacity() const {
    // seq_cst: a rendezvous's receivers publish room by it.
    return capacity_.load(std::memory_order_seq_cst);
  }
  // Who waits for values, for room or for the end has announced itself, and looks next.
  void BeforeLook() { word_.BeforeLook(); }
  // For a rendezvous: a receiver came (1), or left (-1).
  void AddCapacity(int receivers) {
    // seq_cst: a publication of room.
    capacity_.fetch_add(static_cast<std::uint64_t>(static_cast<std::int64_t>(receivers)),
                        std::memory_order_seq_cst);
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  static_assert(BiasedWord<Policy>::kBiased < kStep);
  static constexpr std::uint64_t kClosed = 1;
  static constexpr std::uint64_t kReservedOne = 2;
  static constexpr std::uint64_t kReserved = BiasedWord<Policy>::kBiased - kReservedOne;

  template <bool kUsesPermit, typename Head>
  PushResult ClaimWith(std::size_t wanted, const Head& head, Claim& claim, Block*& fresh) {
    int attempt = 0;
    // seq_cst: also the look of a sender that waits (wait_queue.h). As an acquire: what I2
    // says of tail_block_.
    std::uint64_t word = word_.Load(std::memory_order_seq_cst);
    for (;;) {
      if (!kUsesPermit && ABSL_PREDICT_FALSE((word & kClosed) != 0)) return PushResult::kClosed;
      const std::size_t offset = Block::Offset(word);
      if (ABSL_PREDICT_FALSE(offset == Block::kCells)) {
        Policy::Relax(attempt++);
        // acquire: as above.
        word = word_.Load(std::memory_order_acquire);
        continue;
      }
      std::size_t count = 1;
      if constexpr (!kUsesPermit) {
        if (wanted == 1) {
          if (!HasRoom(word, head)) return PushResult::kFull;
        } else {
          const std::uint64_t room = Room(word, head);
          if (room == 0) return PushResult::kFull;
          count = static_cast<std::size_t>(
              std::min<std::uint64_t>({wanted, Block::kCells - offset, room}));
        }
      }
      // acquire: the block. pairs with: Install() and InstallFirst().
      Block* block = tail_block_.load(std::memory_order_acquire);
      if (ABSL_PREDICT_FALSE(block == nullptr)) block = InstallFirst();
      const bool takes_last = offset + count == Block::kCells;
      if (ABSL_PREDICT_FALSE(takes_last) && fresh == nullptr) {
        fresh = Policy::template New<Block>();
      }
      const std::uint64_t claimed =
          word + count * kStep - (kUsesPermit ? kReservedOne : std::uint64_t{0});
      const bool was_biased = (word & BiasedWord<Policy>::kBiased) != 0;
      // The claim, a publication of values (wait_queue.h): a receiver that looks after it finds
      // the position moved, and waits for the cell to be filled.
      if (ABSL_PREDICT_TRUE(word_.CompareExchange(word, claimed))) {
        claim = {block, offset, count};
        if (ABSL_PREDICT_FALSE(takes_last)) Install(block, std::exchange(fresh, nullptr), word);
        return PushResult::kPushed;
      }
      // Who only ended a bias has lost to nobody.
      if (!was_biased) word = LoseRace(word);
    }
  }

  // Another thread was quicker to change the word, which it found to be `word`; mostly by a claim.
  // What it is after a wait.
  ABSL_ATTRIBUTE_NOINLINE std::uint64_t LoseRace(std::uint64_t word) {
    // acquire: as in ClaimWith().
    return contention_.Wait(word, [this] { return word_.Load(std::memory_order_acquire); });
  }

  // Moves on to `next` (I2).
  void Install(Block* block, Block* next, Position position) {
    // release: the new block. pairs with: ClaimWith(). Whoever sees the position in the new block
    // sees it in tail_block_.
    tail_block_.store(next, std::memory_order_release);
    word_.PassGap(kStep, Block::IsTurn(position));
    // release: the new block. pairs with: Block::AwaitNext().
    block->next.store(next, std::memory_order_release);
  }

  Block* InstallFirst() {
    Block* const fresh = Policy::template New<Block>();
    Block* none = nullptr;
    // release: the new block; acquire on failure: the other one's. pairs with: itself and the
    // load in ClaimWith().
    if (!tail_block_.compare_exchange_strong(none, fresh, std::memory_order_release,
                                             std::memory_order_acquire)) {
      Policy::Delete(fresh);
      return none;
    }
    // release: the same for the receivers. pairs with: first().
    first_.store(fresh, std::memory_order_release);
    return fresh;
  }

  // For how many values there is room. Never 0 if there was room at `word`; too much only if
  // `word` is out of date.
  template <typename Head>
  std::uint64_t Room(std::uint64_t word, const Head& head) {
    const std::uint64_t most = capacity();
    if (most == kUnlimited) return kUnlimited;
    // relaxed: some value that the head has had.
    Position known = known_head_.load(std::memory_order_relaxed);
    std::uint64_t used = Used(known, word);
    if (used < most) return most - used;
    known = head();
    known_head_.store(known, std::memory_order_relaxed);
    used = Used(known, word);
    return used < most ? most - used : 0;
  }
  // Whether there is room for one. Mostly a look at the positions tells, though the gaps are among
  // them.
  template <typename Head>
  bool HasRoom(std::uint64_t word, const Head& head) {
    const std::uint64_t most = capacity();
    if (most == kUnlimited) return true;
    // relaxed: some value that the head has had.
    Position known = known_head_.load(std::memory_order_relaxed);
    // The head is the receivers' line: it is asked only if what is known does not do.
    if (UsedAtMost(known, word) < most || Used(known, word) < most) return true;
    known = head();
    known_head_.store(known, std::memory_order_relaxed);
    return Used(known, word) < most;
  }
  static std::uint64_t UsedAtMost(Position head, std::uint64_t word) {
    // Negative if the head has overtaken a word that is out of date.
    const auto positions = static_cast<std::int64_t>((word & ~kFlags) - head) >> kPositionShift;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(positions, 0)) + Reserved(word);
  }
  static std::uint64_t Used(Position head, std::uint64_t word) {
    // The head has overtaken a word that is out of date: the CAS will fail.
    if (ABSL_PREDICT_FALSE(IsAfter(head, word))) return 0;
    return Block::Distance(head, word) + Reserved(word);
  }
  static std::uint64_t Reserved(std::uint64_t word) { return (word & kReserved) / kReservedOne; }

  BiasedWord<Policy> word_;
  Atomic<Block*> tail_block_{nullptr};
  Atomic<Position> known_head_{0};  // Some value that the head has had.
  Atomic<std::uint64_t> capacity_;  // Changes for a rendezvous only.
  Atomic<Block*> first_{nullptr};
  Contention<Policy> contention_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_TAIL_END_H_
