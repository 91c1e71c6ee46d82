// BasicReadiness: the state of one direction of one registered descriptor:
// what is ready, since which edge, and who waits for it.
//
// Three parties meet here. The *owner* is the one task that reads (or writes)
// the descriptor; the *dispatcher* is the one thread that is in
// Reactor::Poll() and reports edges; the *registry* gives the slot to a new
// descriptor when the old one is deregistered (by then there is no owner).
// All state is one word, changed only by RMWs:
//
//    63            32 31              9 8      7       6          0
//   +----------------+-----------------+------+-------+------------+
//   |   generation   |   tick (<= 23)  | cell | armed |   ready    |
//   +----------------+-----------------+------+-------+------------+
//
//   generation  counts the descriptors that used the slot. An edge carries the
//               generation of its registration and is ignored if it differs.
//   tick        counts the edges. ClearReady() with an older tick does nothing,
//               so a "would block" seen late can't erase a newer edge.
//   cell        which of the two waker cells the owner uses.
//   armed       cell[cell] holds a waker for the next edge.
//   ready       ReadySet bits of this direction.
//
// Invariants:
//   I1  armed implies that no ready bit is set: an edge disarms.
//   I2  While armed, nobody touches cell[cell] before an RMW of his has cleared
//       `armed`. Whoever cleared it owns the waker.
//   I3  While not armed, cell[cell] belongs to the owner (or the registry).
//   I4  The dispatcher flips `cell` in the RMW by which it takes a waker, and
//       at no other time does it change. So the owner goes on with the other
//       cell while the dispatcher still moves the waker out of the first. The
//       dispatcher is one thread at a time: before it can flip back to the
//       first cell it has long left it. This is why neither side ever waits
//       for the other and why no user code (clone, wake, drop of a waker) runs
//       under a lock.
//
// The tick follows Tokio's ScheduledIo; its history shows what goes wrong when
// it is narrow or shared between directions (tokio#6133, #8054, #8331). The
// two cells replace the "waking" state of Rust's AtomicWaker, in which an owner
// that comes too early has to wake itself.
//
// Thread-safety: as above. Cost: one RMW to wait, one to report an edge, one
// load if already ready.
//
// `kTickBits` is smaller in tests, to let it wrap. `Atom` is std::atomic except
// under a checker of interleavings.

#ifndef HOME_REACTOR_READINESS_H_
#define HOME_REACTOR_READINESS_H_

#include <atomic>
#include <cstdint>
#include <utility>

#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/reactor/ready.h"

namespace home::reactor_internal {

template <int kTickBits = 23, template <typename> typename Atom = std::atomic>
class BasicReadiness {
  static_assert(kTickBits >= 1 && kTickBits <= 23);

 public:
  BasicReadiness() = default;
  BasicReadiness(const BasicReadiness&) = delete;
  BasicReadiness& operator=(const BasicReadiness&) = delete;

  // Registry: hands the slot to the descriptor with this generation. The slot
  // has no owner, but the dispatcher may still be at work for the last one.
  // Returns the waker that the last owner left behind, for the caller to drop
  // outside of its locks.
  [[nodiscard]] Waker Reset(std::uint32_t generation, ReadySet initial) {
    // acquire: pairs with the release in Arm(), for the cell that is taken.
    // release: pairs with the acquire in Report() for the cell's new state.
    // From here on an edge of the old generation finds a word that isn't its.
    std::uint64_t old = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(old, Pack(generation, 0, old & kCellBit, initial.bits()),
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    if ((old & kArmedBit) == 0) return Waker();
    return std::move(CellOf(old));
  }

  // Dispatcher: an edge of the registration with this generation. Returns false
  // if the slot has gone to another one. `*waker` is what is to be woken.
  bool Report(std::uint32_t generation, ReadySet ready, Waker* waker) {
    // relaxed: only a first guess, which the exchange checks.
    std::uint64_t old = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (GenerationOf(old) != generation) return false;
      const std::uint64_t flip = (old & kArmedBit) != 0 ? kCellBit : 0;
      const std::uint64_t next = Pack(generation, TickOf(old) + 1, (old & kCellBit) ^ flip,
                                      unsigned{ReadyOf(old).bits()} | ready.bits());
      // acquire: pairs with the release in PollReady() that armed the cell.
      // release: pairs with the acquire loads of the owner; it orders our
      // leaving of the other cell, one edge ago, before the owner's next use.
      if (word_.compare_exchange_weak(old, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        break;
      }
    }
    if ((old & kArmedBit) != 0) *waker = std::move(CellOf(old));
    return true;
  }

  // Owner: what is ready now; if nothing, the context's waker is woken by the
  // next edge.
  home::Poll<ReadyEvent> PollReady(Context& cx) {
    // acquire: pairs with the release in Report(); see there.
    std::uint64_t old = word_.load(std::memory_order_acquire);
    if (!ReadyOf(old).empty()) return EventOf(old);
    return Arm(cx, old);
  }

  // Owner: what is ready now, without waiting for more.
  [[nodiscard]] ReadyEvent Current() const {
    // acquire: as in PollReady().
    return EventOf(word_.load(std::memory_order_acquire));
  }

  // Owner: the operation would block, or surely would the next time. Forgets
  // what `seen` reported, unless an edge came since. kShutdown stays.
  void Clear(const ReadyEvent& seen) {
    // relaxed: only a first guess, which the exchange checks.
    std::uint64_t old = word_.load(std::memory_order_relaxed);
    while (TickOf(old) == (seen.tick & kTickMask) && (old & kClearable) != 0) {
      // release: the operation whose answer lets us forget stays before the
      // forgetting. Nothing is read on the strength of it: no acquire.
      if (word_.compare_exchange_weak(old, old & ~kClearable, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
  }

  // Owner: takes back the waker that the last PollReady() left, if it is still
  // there. The caller drops it. An empty one: the dispatcher has it.
  [[nodiscard]] Waker Disarm() {
    // relaxed: only a first guess. A cell that we ourselves armed is ours.
    std::uint64_t old = word_.load(std::memory_order_relaxed);
    while ((old & kArmedBit) != 0) {
      // acquire: pairs with the release in Arm(), should the owner have moved
      // to another thread without other synchronisation than its task's.
      if (word_.compare_exchange_weak(old, old & ~kArmedBit, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return std::move(CellOf(old));
      }
    }
    return Waker();
  }

 private:
  static constexpr int kArmedShift = ReadySet::kBitCount;
  static constexpr int kCellShift = kArmedShift + 1;
  static constexpr int kTickShift = kCellShift + 1;
  static constexpr int kGenerationShift = 32;
  static_assert(kTickShift + kTickBits <= kGenerationShift);

  static constexpr std::uint64_t kReadyMask = (std::uint64_t{1} << ReadySet::kBitCount) - 1;
  static constexpr std::uint64_t kClearable = kReadyMask & ~std::uint64_t{ReadySet::kShutdown};
  static constexpr std::uint64_t kArmedBit = std::uint64_t{1} << kArmedShift;
  static constexpr std::uint64_t kCellBit = std::uint64_t{1} << kCellShift;
  static constexpr std::uint32_t kTickMask = (std::uint32_t{1} << kTickBits) - 1;
  static_assert((kReadyMask & (kArmedBit | kCellBit)) == 0);

  static std::uint64_t Pack(std::uint32_t generation, std::uint32_t tick, std::uint64_t cell,
                            unsigned ready) {
    return (std::uint64_t{generation} << kGenerationShift) |
           (std::uint64_t{tick & kTickMask} << kTickShift) | cell | ready;
  }
  static std::uint32_t GenerationOf(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> kGenerationShift);
  }
  static std::uint32_t TickOf(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> kTickShift) & kTickMask;
  }
  static ReadySet ReadyOf(std::uint64_t word) { return ReadySet(word & kReadyMask); }
  static ReadyEvent EventOf(std::uint64_t word) { return ReadyEvent{ReadyOf(word), TickOf(word)}; }
  Waker& CellOf(std::uint64_t word) { return cells_[(word & kCellBit) >> kCellShift]; }

  home::Poll<ReadyEvent> Arm(Context& cx, std::uint64_t old) {
    // What leaves a cell is dropped at the end, when the word is in order.
    Waker displaced;
    if ((old & kArmedBit) != 0) {
      // A poll after Pending with no edge in between: the task was woken for
      // another reason. Take the waker back to see whether it is still right.
      displaced = Disarm();
    }
    Waker fresh;
    if (displaced && displaced.WillWake(cx.waker())) {
      fresh = std::move(displaced);
    } else {
      fresh = cx.waker().Clone();
    }
    // acquire: as in PollReady().
    old = word_.load(std::memory_order_acquire);
    while (ReadyOf(old).empty()) {
      Waker& cell = CellOf(old);
      cell = std::move(fresh);
      // release: pairs with the acquire of whoever takes the waker (Report(),
      // Reset(), Disarm()). acquire on failure: an edge came, as PollReady().
      if (word_.compare_exchange_weak(old, old | kArmedBit, std::memory_order_release,
                                      std::memory_order_acquire)) {
        return kPending;
      }
      fresh = std::move(cell);
    }
    return EventOf(old);
  }

  Atom<std::uint64_t> word_{0};
  Waker cells_[2];
};

using Readiness = BasicReadiness<>;

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_READINESS_H_
