// Block: some cells of a channel's queue, linked to the next ones.
//
// A channel's values lie at positions 0, 1, 2, ... of a list of blocks. Of the positions of a
// block the last one is no cell but a gap: while a counter stands there, whoever took the
// block's last cell is moving it on to the next block.

#ifndef HOME_CHANNEL_BLOCK_H_
#define HOME_CHANNEL_BLOCK_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/attributes.h"

namespace home::channel_internal {

// A place in the queue, in steps of kStep: the low bits are free for flags. Compared by the
// sign of the difference; may wrap.
using Position = std::uint64_t;
inline constexpr int kPositionShift = 18;
inline constexpr Position kStep = Position{1} << kPositionShift;
inline constexpr Position kFlags = kStep - 1;

// Whether `a` comes after `b`, whatever their flags.
inline bool IsAfter(Position a, Position b) {
  return static_cast<std::int64_t>((a & ~kFlags) - (b & ~kFlags)) > 0;
}

template <typename T, typename Policy>
class Cell {
 public:
  Cell() {}   // NOLINT: the value comes and goes by itself.
  ~Cell() {}  // NOLINT

  // The producer's: fills the cell and hands it over.
  void Put(T&& value) {
    std::construct_at(std::addressof(value_), std::move(value));
    // release: hands the value over, and whatever was done to the block. pairs with:
    // IsFull().
    state_.store(kFull, std::memory_order_release);
  }
  // Whether Put() has been, and Leave() has not.
  [[nodiscard]] bool IsFull() const {
    // acquire: the value. pairs with: Put().
    return state_.load(std::memory_order_acquire) == kFull;
  }
  ABSL_ATTRIBUTE_NOINLINE void AwaitFull() const {
    for (int attempt = 0; !IsFull(); ++attempt) Policy::Relax(attempt);
  }
  // The consumer's, of a full cell.
  T Take() {
    T value = std::move(value_);
    std::destroy_at(std::addressof(value_));
    return value;
  }
  // The consumer's: it does not touch the block any more.
  void Leave() {
    // release: our use of the cell comes before the block is freed. pairs with: WasLeft().
    state_.store(kLeft, std::memory_order_release);
  }
  [[nodiscard]] bool WasLeft() const {
    // acquire: the consumer's use of the cell. pairs with: Leave().
    return state_.load(std::memory_order_acquire) == kLeft;
  }

  // For a block that is used again.
  void Reset() {
    // relaxed: the block is nobody else's.
    state_.store(kEmpty, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint8_t kEmpty = 0;
  static constexpr std::uint8_t kFull = 1;
  static constexpr std::uint8_t kLeft = 2;

  // Stored only: by the producer, and then by the consumer that saw it full.
  typename Policy::template Atomic<std::uint8_t> state_{kEmpty};
  union {
    T value_;
  };
};

template <typename T, typename Policy>
struct Block {
  using Cell = channel_internal::Cell<T, Policy>;

  static constexpr std::size_t kPositions = Policy::BlockPositions(sizeof(Cell));
  static constexpr std::size_t kCells = kPositions - 1;
  static_assert(std::has_single_bit(kPositions) && kPositions >= 2);

  // Where in its block a position is; kCells is the gap.
  static std::size_t Offset(Position position) {
    return (position >> kPositionShift) & (kPositions - 1);
  }
  // How many cells come before a position: positions without the gaps. Wraps where
  // positions do not, so use it for differences of near ones only.
  static std::uint64_t CellsBefore(Position position) {
    const std::uint64_t index = position >> kPositionShift;
    return index / kPositions * kCells + index % kPositions;
  }
  // Cells from `from` up to `to`, which comes at or after it.
  static std::uint64_t Distance(Position from, Position to) {
    const Position base = from & ~(kStep * kPositions - 1);
    return CellsBefore(to - base) - CellsBefore(from - base);
  }

  // Whether a position's block is one of those at whose end a bias may begin (biased_word.h).
  static bool IsTurn(Position position) {
    constexpr std::size_t kBlocks =
        std::max<std::size_t>(Policy::kPositionsPerTurn / kPositions, 1);
    return (position >> kPositionShift) / kPositions % kBlocks == 0;
  }

  void Reset() {
    for (Cell& cell : cells) cell.Reset();
    // relaxed: as in Cell::Reset().
    next.store(nullptr, std::memory_order_relaxed);
  }
  // Whether consumers have left all cells: nobody uses the block any more.
  [[nodiscard]] bool WasLeft() const {
    return std::ranges::all_of(cells, [](const Cell& cell) { return cell.WasLeft(); });
  }
  // The block behind this one, which whoever took the last cell is about to link.
  Block* AwaitNext() const {
    for (int attempt = 0;; ++attempt) {
      // acquire: the next block. pairs with: TailEnd::Install().
      Block* const linked = next.load(std::memory_order_acquire);
      if (linked != nullptr) return linked;
      Policy::Relax(attempt);
    }
  }

  // The block behind; later, of one that is to be freed, another such (shared_head.h).
  typename Policy::template Atomic<Block*> next{nullptr};
  std::array<Cell, kCells> cells;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_BLOCK_H_
