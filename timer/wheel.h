// TimerWheel: timers sorted by the tick in which they are due, O(1) to arm, to
// cancel and to find the next one.
//
// A tick is a number; the TimerService makes it the 256th part of a millisecond.
// The wheel is a pure data structure: it knows no clock, no lock, no waker.
//
//   TimerWheel wheel(now);
//   wheel.Insert(entry, now + 250);
//   std::size_t budget = 128;
//   while (TimerEntry* due = wheel.PopDue(later, budget)) ...
//
// This is the hierarchical wheel of Varghese and Lauck ("Hashed and
// Hierarchical Timing Wheels", SOSP 1987), with the slot chosen by the highest
// byte in which the due tick differs from the wheel's own:
//
//   tick   | byte 4 | byte 3 | byte 2 | byte 1 | byte 0 |     elapsed() = 0x11'02'07'30'10
//   level      4        3        2        1        0
//              |        |        |        |        '-- 0x11'02'07'30'55  level 0, slot 0x55
//              |        |        |        '----------- 0x11'02'07'41'99  level 1, slot 0x41
//              |        |        '-------------------- 0x11'02'09'00'00  level 2, slot 0x09
//              |        '----------------------------- 0x11'05'00'00'00  level 3, slot 0x05
//              '-------------------------------------- 0x13'00'00'00'00  level 4, slot 0x13
//
// The levels 1 to 4 are a wheel of whole milliseconds, which spans 2^32 of them, 49 days;
// level 0 has the parts of the present one. What is due at a whole millisecond never visits
// it: such an entry is returned as soon as the wheel enters its slot of level 1.
//
//  W1 An entry in level L < 4 shares all bytes above L with elapsed(), and its
//     byte L is greater (level 0: not less). So everything in a level is due
//     before everything in the level above it, and levels 0-3 never wrap. (Level 1 has
//     the beginning of the next slot of level 2 besides, see W3.)
//  W2 Level 4 is a ring: its slots hold the next 255 blocks of 2^32 ticks. An
//     entry that is due later than that (2^40 ticks) waits in the
//     furthest slot and is sorted in anew when the wheel arrives there.
//  W3 When elapsed() enters the block of an upper slot, the slot is cascaded:
//     its entries move to lower levels, each at most four times in its life
//     (and once in 49 days more), or are returned if this very tick is theirs.
//     The moves are charged to PopDue's budget, so
//     that one call is bounded however many entries share a slot; a cascade
//     that ran out of budget goes on in the next call, and elapsed() waits.
//     Entries of the next slot of level 2, the next 256 ms, are moved ahead of its time,
//     some in every call that finds nothing more due. They wait in a second row of level 1:
//     blocks of 2^16 ticks with odd and even numbers have a row each. Without that a slot of
//     many entries would hold up all that are due in its first milliseconds. What is inserted
//     goes into that row at once, unless others still wait in level 2, whom it must not
//     overtake.
//  W4 A bit in `occupied_` is set if and only if its slot is not empty. Finding
//     the next occupied slot reads at most four words a level.
//
//  W5 An entry knows, as a mere hint, where the one lies that was put four places behind it
//     into the same slot, so that a cascade has four cache misses under way instead of one:
//     of a million timers nearly each is one, and a list alone tells of the next one only when
//     this one is there. Hints are never followed but by prefetches: what they name may be
//     gone.
//
// Entries of one tick are returned in the order of their insertion, unless one
// of them was more than 2^40 ticks ahead, or came amid a cascade that had run
// out of budget.
//
// Thread-safety: none; the caller locks.
// Cost: 12 KiB; an entry is 32 bytes, inside whatever waits. Nothing allocates.

#ifndef HOME_TIMER_WHEEL_H_
#define HOME_TIMER_WHEEL_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace home {

// A place in a wheel. Embedded in what waits; it must not move or go away while
// it is in a wheel.
class TimerEntry {
 public:
  TimerEntry() noexcept = default;
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  ~TimerEntry() { assert(!linked()); }

  // True while the entry is in a wheel.
  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  // The tick in which it is (or was) due.
  [[nodiscard]] std::uint64_t tick() const noexcept { return tick_; }

 protected:
  // While the entry is in no wheel, its owner may keep a number in the tick's place.
  void set_tick(std::uint64_t number) noexcept {
    assert(!linked());
    tick_ = number;
  }

 private:
  friend class TimerWheel;

  void SetHint(const TimerEntry& other) noexcept {
    hint_ = static_cast<std::int32_t>(other.Line() - Line());
  }
  void PrefetchHint() const noexcept {
    const std::intptr_t address = (Line() + hint_) * kLineSize;
    // What waits has its waker behind the entry, mostly in the next line.
    __builtin_prefetch(reinterpret_cast<const void*>(address));
    __builtin_prefetch(reinterpret_cast<const void*>(address + kLineSize));
  }
  [[nodiscard]] std::intptr_t Line() const noexcept {
    return reinterpret_cast<std::intptr_t>(this) / kLineSize;
  }
  static constexpr std::intptr_t kLineSize = 64;

  // A slot is a ring of entries; its head's prev_ is the last one.
  TimerEntry* next_ = nullptr;
  TimerEntry* prev_ = nullptr;
  std::uint64_t tick_ = 0;
  // W5. In cache lines, from this entry on.
  std::int32_t hint_ = 0;
  std::uint8_t row_ = 0;
  std::uint8_t slot_ = 0;
};

class TimerWheel {
 public:
  // "There is no entry."
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  // An empty wheel at tick `now`.
  explicit TimerWheel(std::uint64_t now = 0) noexcept : elapsed_(now) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // The wheel must be empty: entries don't outlive it.
  ~TimerWheel() { assert(empty()); }

  // Puts `entry`, which is in no wheel, where `tick` belongs. A tick that is
  // past is due at once. `tick` is not kNever.
  void Insert(TimerEntry& entry, std::uint64_t tick) noexcept;

  // Takes `entry` out, which is in this wheel.
  void Remove(TimerEntry& entry) noexcept;

  // Moves the wheel towards `now` and returns an entry that is due (its tick is
  // <= now), already taken out, or null. Each entry returned or cascaded takes
  // one off `budget`. Null with budget left: nothing more is due at `now`, and
  // elapsed() has arrived there. Null with budget 0: call again.
  // A `now` before elapsed() (a clock that went back) yields null.
  [[nodiscard]] TimerEntry* PopDue(std::uint64_t now, std::size_t& budget) noexcept;

  // No entry is due before this tick; kNever if there is none. Exact if the
  // earliest entry is in level 0 or shares its slot with few others, so that who
  // sleeps until a lonely timer wakes once. Else the start of its slot's block:
  // PopDue() then has a cascade to do and perhaps nothing to return.
  [[nodiscard]] std::uint64_t NextTick() const noexcept;

  // Moves an empty wheel to `now` if that is later, so that what is inserted
  // next needs fewer cascades.
  void SkipTo(std::uint64_t now) noexcept {
    assert(empty());
    if (now > elapsed_) {
      elapsed_ = now;
      cascading_ = 0;
    }
  }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // The tick at which the wheel stands: all that was due before it is out.
  [[nodiscard]] std::uint64_t elapsed() const noexcept { return elapsed_; }

 private:
  static constexpr unsigned kLevels = 5;
  static constexpr unsigned kSlotBits = 8;
  static constexpr unsigned kSlots = 1u << kSlotBits;
  static constexpr unsigned kWords = kSlots / 64;
  // A row of slots a level, and the second one of level 1 (W3).
  static constexpr unsigned kRows = kLevels + 1;
  // So many entries are moved ahead in a call; they are not charged to its budget.
  static constexpr int kMovesAhead = 96;
  // NextTick() looks at so many entries of a slot at most; each may be a cache miss.
  static constexpr int kFewEntries = 4;

  // The byte of `tick` that numbers its slot in `level`.
  static constexpr unsigned SlotOf(std::uint64_t tick, unsigned level) noexcept {
    return static_cast<unsigned>(tick >> (kSlotBits * level)) & (kSlots - 1);
  }
  static constexpr unsigned LevelOf(unsigned row) noexcept { return row == kLevels ? 1 : row; }
  // The number of the block of 2^16 ticks, one of level 2's slots.
  static constexpr std::uint64_t BlockOf(std::uint64_t tick) noexcept {
    return tick >> (2 * kSlotBits);
  }
  // Level 1's row for a block.
  static constexpr unsigned RowOf(std::uint64_t block) noexcept {
    return block % 2 == 0 ? 1 : kLevels;
  }
  // Links `entry` by its tick_, without counting it.
  void Place(TimerEntry& entry) noexcept;
  void PlaceIn(TimerEntry& entry, unsigned row, unsigned slot) noexcept;
  // W3.
  void MoveAhead() noexcept;
  void Unlink(TimerEntry& entry) noexcept;
  // The first occupied slot of `row` that is >= `from`, or kSlots.
  [[nodiscard]] unsigned FindOccupied(unsigned row, unsigned from) const noexcept;
  // The start of the next occupied slot above level 0, its row and its number.
  [[nodiscard]] std::uint64_t NextBlock(unsigned& row, unsigned& slot) const noexcept;

  std::uint64_t elapsed_;
  std::size_t size_ = 0;
  // The row whose slot at elapsed_ is being cascaded; 0 if none is.
  unsigned cascading_ = 0;
  std::uint64_t occupied_[kRows][kWords] = {};
  TimerEntry* slots_[kRows][kSlots] = {};
};

}  // namespace home

#endif  // HOME_TIMER_WHEEL_H_
