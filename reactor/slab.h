// SlotSlab: the slots of all registrations of one reactor, at addresses that
// never change.
//
// The dispatcher looks slots up by number without a lock while others allocate.
// Slots live in chunks, each twice as large as the one before; a slot that is
// given back is used again, and no memory is returned before the slab dies, so
// a late event finds a slot in every case. Whether it still is the slot it was,
// the generation tells (readiness.h). Memory in proportion to the largest
// number of registrations that were alive at one time.
//
// Thread-safety: Find() from any thread; the rest under the caller's lock.

#ifndef HOME_REACTOR_SLAB_H_
#define HOME_REACTOR_SLAB_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "home/reactor/readiness.h"

namespace home::reactor_internal {

// Two directions whose owners may run on different threads than those of the
// neighbouring slots: a slot fills cache lines of its own.
struct alignas(64) Slot {
  Readiness directions[2];
  std::uint32_t index = 0;
  // Of the descriptor that has the slot, or will have it next.
  std::uint32_t generation = 0;
  Slot* next_free = nullptr;

  Readiness& of(Direction direction) { return directions[static_cast<int>(direction)]; }
  std::uint64_t key() const { return (std::uint64_t{generation} << 32) | index; }
};

class SlotSlab {
 public:
  SlotSlab() = default;
  SlotSlab(const SlotSlab&) = delete;
  SlotSlab& operator=(const SlotSlab&) = delete;
  ~SlotSlab() {
    // relaxed: nobody else is left.
    for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
  }

  // A slot for a new registration; null when 2^31 are in use.
  Slot* Allocate() {
    if (free_ != nullptr) {
      Slot* slot = free_;
      free_ = slot->next_free;
      return slot;
    }
    if (used_ == kMaxSlots) return nullptr;
    const std::uint32_t index = used_;
    const int chunk = ChunkOf(index);
    // relaxed: only allocations write it, and they are under the caller's lock.
    Slot* slots = chunks_[chunk].load(std::memory_order_relaxed);
    if (slots == nullptr) {
      slots = new Slot[ChunkSize(chunk)];
      for (std::uint32_t i = 0; i < ChunkSize(chunk); ++i) slots[i].index = FirstOf(chunk) + i;
      // release: pairs with Find(), which sees initialised slots.
      chunks_[chunk].store(slots, std::memory_order_release);
    }
    ++used_;
    return &slots[index - FirstOf(chunk)];
  }

  void Free(Slot* slot) {
    slot->next_free = free_;
    free_ = slot;
  }

  // The slot with this number, or null if there never was one.
  Slot* Find(std::uint32_t index) const {
    if (index >= kMaxSlots) return nullptr;
    const int chunk = ChunkOf(index);
    // acquire: pairs with Allocate().
    Slot* slots = chunks_[chunk].load(std::memory_order_acquire);
    return slots == nullptr ? nullptr : &slots[index - FirstOf(chunk)];
  }

  // How many slots were ever handed out: their numbers are 0 to used() - 1.
  std::uint32_t used() const { return used_; }

 private:
  static constexpr std::uint32_t kFirstChunk = 64;
  static constexpr int kChunks = 25;
  static constexpr std::uint32_t kMaxSlots = kFirstChunk * ((std::uint32_t{1} << kChunks) - 1);

  static int ChunkOf(std::uint32_t index) { return std::bit_width(index / kFirstChunk + 1) - 1; }
  static std::uint32_t ChunkSize(int chunk) { return kFirstChunk << chunk; }
  static std::uint32_t FirstOf(int chunk) {
    return kFirstChunk * ((std::uint32_t{1} << chunk) - 1);
  }

  std::array<std::atomic<Slot*>, kChunks> chunks_{};
  std::uint32_t used_ = 0;
  Slot* free_ = nullptr;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_SLAB_H_
