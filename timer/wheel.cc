#include "home/timer/wheel.h"

#include <algorithm>
#include <bit>

namespace home {

void TimerWheel::Insert(TimerEntry& entry, std::uint64_t tick) noexcept {
  assert(!entry.linked());
  assert(tick != kNever);
  entry.tick_ = tick;
  ++size_;
  Place(entry);
}

void TimerWheel::Remove(TimerEntry& entry) noexcept {
  assert(entry.linked());
  Unlink(entry);
  --size_;
}

void TimerWheel::Place(TimerEntry& entry) noexcept {
  // What is past shares the slot of this very tick, which PopDue looks at first.
  const std::uint64_t tick = std::max(entry.tick_, elapsed_);
  const std::uint64_t differing = tick ^ elapsed_;
  unsigned level;
  unsigned slot;
  if (differing < (std::uint64_t{1} << (kSlotBits * (kLevels - 1)))) {
    level = (63u - static_cast<unsigned>(std::countl_zero(differing | 1))) / kSlotBits;
    slot = SlotOf(tick, level);
  } else {
    level = kLevels - 1;
    const unsigned shift = kSlotBits * level;
    const std::uint64_t block = std::min(tick >> shift, (elapsed_ >> shift) + (kSlots - 1));  // W2
    slot = static_cast<unsigned>(block) & (kSlots - 1);
  }
  unsigned row = level;
  const std::uint64_t block = BlockOf(tick);
  if (level == 1) {
    row = RowOf(block);
  } else if (block == BlockOf(elapsed_) + 1 && block % kSlots != 0 &&
             slots_[2][block % kSlots] == nullptr) {
    // Ahead of its time (W3).
    row = RowOf(block);
    slot = SlotOf(tick, 1);
  }
  PlaceIn(entry, row, slot);
}

void TimerWheel::PlaceIn(TimerEntry& entry, unsigned row, unsigned slot) noexcept {
  entry.row_ = static_cast<std::uint8_t>(row);
  entry.slot_ = static_cast<std::uint8_t>(slot);
  TimerEntry*& head = slots_[row][slot];
  if (head == nullptr) {
    entry.next_ = &entry;
    entry.prev_ = &entry;
    head = &entry;
    occupied_[row][slot / 64] |= std::uint64_t{1} << (slot % 64);  // W4
  } else {
    TimerEntry* const last = head->prev_;
    entry.next_ = head;
    entry.prev_ = last;
    last->next_ = &entry;
    head->prev_ = &entry;
    // W5. In a short ring that is some entry of it.
    last->prev_->prev_->prev_->SetHint(entry);
  }
}

void TimerWheel::Unlink(TimerEntry& entry) noexcept {
  const unsigned row = entry.row_;
  const unsigned slot = entry.slot_;
  TimerEntry*& head = slots_[row][slot];
  if (entry.next_ == &entry) {
    head = nullptr;
    occupied_[row][slot / 64] &= ~(std::uint64_t{1} << (slot % 64));  // W4
  } else {
    entry.prev_->next_ = entry.next_;
    entry.next_->prev_ = entry.prev_;
    if (head == &entry) head = entry.next_;
  }
  entry.next_ = nullptr;
  entry.prev_ = nullptr;
}

void TimerWheel::MoveAhead() noexcept {
  const std::uint64_t block = BlockOf(elapsed_) + 1;
  // The first block of a slot of level 3: its entries are up there.
  if (block % kSlots == 0) return;
  for (int moves = 0; moves < kMovesAhead; ++moves) {
    TimerEntry* const entry = slots_[2][block % kSlots];
    if (entry == nullptr) return;
    entry->PrefetchHint();
    Unlink(*entry);
    PlaceIn(*entry, RowOf(block), SlotOf(entry->tick_, 1));
  }
}

unsigned TimerWheel::FindOccupied(unsigned row, unsigned from) const noexcept {
  if (from >= kSlots) return kSlots;
  unsigned word = from / 64;
  std::uint64_t bits = occupied_[row][word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == kWords) return kSlots;
    bits = occupied_[row][word];
  }
  return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
}

std::uint64_t TimerWheel::NextBlock(unsigned& row, unsigned& slot) const noexcept {
  const std::uint64_t block = BlockOf(elapsed_);
  row = RowOf(block);
  slot = FindOccupied(row, SlotOf(elapsed_, 1) + 1);
  if (slot < kSlots) return (block << (2 * kSlotBits)) + (std::uint64_t{slot} << kSlotBits);
  // The next block, and what was moved ahead of it: the rest of it goes first.
  const std::uint64_t next = block + 1;
  if (next % kSlots == 0 || slots_[2][next % kSlots] == nullptr) {
    row = RowOf(next);
    slot = FindOccupied(row, 0);
    if (slot < kSlots) return (next << (2 * kSlotBits)) + (std::uint64_t{slot} << kSlotBits);
  }
  for (row = 2; row < kLevels; ++row) {
    const unsigned shift = kSlotBits * row;
    const unsigned current = SlotOf(elapsed_, row);
    slot = FindOccupied(row, current + 1);
    if (slot < kSlots) return ((elapsed_ >> shift) - current + slot) << shift;
  }
  // W2: what is left lies in the second half of the ring.
  row = kLevels - 1;
  const unsigned shift = kSlotBits * row;
  slot = FindOccupied(row, 0);
  if (slot == kSlots) return kNever;
  return ((elapsed_ >> shift) - SlotOf(elapsed_, row) + kSlots + slot) << shift;
}

std::uint64_t TimerWheel::NextTick() const noexcept {
  if (size_ == 0) return kNever;
  if (cascading_ != 0) return elapsed_;
  const unsigned current = SlotOf(elapsed_, 0);
  const unsigned slot = FindOccupied(0, current);
  if (slot < kSlots) return elapsed_ - current + slot;
  unsigned row;
  unsigned block_slot;
  const std::uint64_t block = NextBlock(row, block_slot);
  // Some of this slot were moved ahead: the earliest may be among them.
  if (row == 2 && FindOccupied(RowOf(BlockOf(block)), 0) < kSlots &&
      BlockOf(block) == BlockOf(elapsed_) + 1) {
    return block;
  }
  // All that lies elsewhere is due after this block (W1).
  const TimerEntry* const head = slots_[row][block_slot];
  std::uint64_t earliest = head->tick_;
  const TimerEntry* entry = head->next_;
  for (int looked = 1; entry != head; entry = entry->next_) {
    if (++looked > kFewEntries) return block;
    earliest = std::min(earliest, entry->tick_);
  }
  // W2: one that is due after its block is to be sorted in anew.
  const unsigned shift = kSlotBits * LevelOf(row);
  return earliest >> shift == block >> shift ? earliest : block;
}

TimerEntry* TimerWheel::PopDue(std::uint64_t now, std::size_t& budget) noexcept {
  if (now < elapsed_) return nullptr;
  for (;;) {
    if (budget == 0) return nullptr;
    if (TimerEntry* const due = slots_[0][SlotOf(elapsed_, 0)]; due != nullptr) {
      --budget;
      Remove(*due);
      return due;
    }
    if (cascading_ != 0) {  // W3
      TimerEntry* const entry = slots_[cascading_][SlotOf(elapsed_, LevelOf(cascading_))];
      if (entry != nullptr) {
        --budget;
        entry->PrefetchHint();  // W5
        Unlink(*entry);
        if (entry->tick_ <= elapsed_) {
          --size_;
          return entry;
        }
        Place(*entry);
        continue;
      }
      // What was moved ahead into the block's first slot comes before the rest of the block.
      const bool rest = LevelOf(cascading_) == 1 && slots_[2][SlotOf(elapsed_, 2)] != nullptr;
      cascading_ = rest ? 2 : 0;
      if (rest) continue;
    }
    // Nothing is left in this tick: go to the next one with something to do.
    unsigned row = 0;
    std::uint64_t next = kNever;
    if (size_ != 0) {
      const unsigned current = SlotOf(elapsed_, 0);
      unsigned slot = FindOccupied(0, current + 1);
      next = slot < kSlots ? elapsed_ - current + slot : NextBlock(row, slot);
    }
    if (next > now) {
      elapsed_ = now;  // W1 holds: no occupied block starts up to here
      MoveAhead();
      return nullptr;
    }
    elapsed_ = next;
    cascading_ = row == 2 ? RowOf(BlockOf(elapsed_)) : row;
  }
}

}  // namespace home
