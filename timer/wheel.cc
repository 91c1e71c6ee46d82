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
  entry.level_ = static_cast<std::uint8_t>(level);
  entry.slot_ = static_cast<std::uint8_t>(slot);

  TimerEntry*& head = slots_[level][slot];
  if (head == nullptr) {
    entry.next_ = &entry;
    entry.prev_ = &entry;
    head = &entry;
    occupied_[level][slot / 64] |= std::uint64_t{1} << (slot % 64);  // W4
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
  const unsigned level = entry.level_;
  const unsigned slot = entry.slot_;
  TimerEntry*& head = slots_[level][slot];
  if (entry.next_ == &entry) {
    head = nullptr;
    occupied_[level][slot / 64] &= ~(std::uint64_t{1} << (slot % 64));  // W4
  } else {
    entry.prev_->next_ = entry.next_;
    entry.next_->prev_ = entry.prev_;
    if (head == &entry) head = entry.next_;
  }
  entry.next_ = nullptr;
  entry.prev_ = nullptr;
}

unsigned TimerWheel::FindOccupied(unsigned level, unsigned from) const noexcept {
  if (from >= kSlots) return kSlots;
  unsigned word = from / 64;
  std::uint64_t bits = occupied_[level][word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == kWords) return kSlots;
    bits = occupied_[level][word];
  }
  return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
}

std::uint64_t TimerWheel::NextBlock(unsigned& level, unsigned& slot) const noexcept {
  for (level = 1; level < kLevels; ++level) {
    const unsigned shift = kSlotBits * level;
    const unsigned current = SlotOf(elapsed_, level);
    slot = FindOccupied(level, current + 1);
    if (slot < kSlots) return ((elapsed_ >> shift) - current + slot) << shift;
  }
  // W2: what is left lies in the second half of the ring.
  level = kLevels - 1;
  const unsigned shift = kSlotBits * level;
  slot = FindOccupied(level, 0);
  if (slot == kSlots) return kNever;
  return ((elapsed_ >> shift) - SlotOf(elapsed_, level) + kSlots + slot) << shift;
}

std::uint64_t TimerWheel::NextTick() const noexcept {
  if (size_ == 0) return kNever;
  if (cascading_ != 0) return elapsed_;
  const unsigned current = SlotOf(elapsed_, 0);
  const unsigned slot = FindOccupied(0, current);
  if (slot < kSlots) return elapsed_ - current + slot;
  unsigned level;
  unsigned block_slot;
  const std::uint64_t block = NextBlock(level, block_slot);
  // All that lies elsewhere is due after this block (W1).
  const TimerEntry* const head = slots_[level][block_slot];
  std::uint64_t earliest = head->tick_;
  const TimerEntry* entry = head->next_;
  for (int looked = 1; entry != head; entry = entry->next_) {
    if (++looked > kFewEntries) return block;
    earliest = std::min(earliest, entry->tick_);
  }
  // W2: one that is due after its block is to be sorted in anew.
  const unsigned shift = kSlotBits * level;
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
      TimerEntry* const entry = slots_[cascading_][SlotOf(elapsed_, cascading_)];
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
      cascading_ = 0;
    }
    // Nothing is left in this tick: go to the next one with something to do.
    unsigned level = 0;
    std::uint64_t next = kNever;
    if (size_ != 0) {
      const unsigned current = SlotOf(elapsed_, 0);
      unsigned slot = FindOccupied(0, current + 1);
      next = slot < kSlots ? elapsed_ - current + slot : NextBlock(level, slot);
    }
    if (next > now) {
      elapsed_ = now;  // W1 holds: no occupied block starts up to here
      return nullptr;
    }
    elapsed_ = next;
    cascading_ = level;
  }
}

}  // namespace home
