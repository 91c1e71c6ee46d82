// Waker: the handle by which whoever completes something tells a future's
// executor to poll it again.
//
// A waker is one word, the address of a WakerTarget: of a task, a child of a set, a parked thread.
// It begins with a pointer to a table of four functions. (In Rust's std::task the table's
// address is the waker's second word. But wakers lie in all that waits, one target has many, and a
// wake touches the target anyway.) The executor makes a waker a poll; a leaf future clones it,
// keeps at most one, and wakes it when progress is possible:
//
//   if (!waker_.WillWake(cx.waker())) waker_ = cx.waker().Clone();
//
// Thread-safety: one Waker object belongs to one thread at a time; different
// clones may be used on different threads at once.
// Memory ordering: all that happens before Wake() happens before the poll that
// it causes. The executor's functions establish that, with a release or
// stronger RMW on the task's state that the next poll acquires.
// Cost: Clone and drop are what the executor makes them, for a task one atomic
// RMW each; WillWake compares one word.

#ifndef HOME_FUTURE_WAKER_H_
#define HOME_FUTURE_WAKER_H_

#include <utility>

namespace home {

class WakerTarget;

// What an executor supplies. None of the functions may throw. Each may be
// called from any thread, and may run user code: a primitive never calls one
// while it holds an internal lock.
struct WakerVTable {
  // Returns the target of a new waker, never null: mostly the same one.
  WakerTarget* (*clone)(WakerTarget* target);
  // Wakes and gives up the reference that the waker stands for.
  void (*wake)(WakerTarget* target);
  // Wakes and keeps the reference.
  void (*wake_by_ref)(WakerTarget* target);
  // Gives up the reference.
  void (*drop)(WakerTarget* target);
};

// The base of what wakers wake. A target lives as long as any waker that has not been woken,
// dropped or moved from, also where the table's functions do nothing.
class WakerTarget {
 public:
  // `vtable` lives as long as the target.
  constexpr explicit WakerTarget(const WakerVTable* vtable) noexcept : vtable_(vtable) {}

  [[nodiscard]] const WakerVTable* waker_vtable() const noexcept { return vtable_; }

 protected:
  ~WakerTarget() = default;

 private:
  const WakerVTable* vtable_;
};

class Waker {
 public:
  // An empty waker: waking it does nothing.
  constexpr Waker() noexcept = default;
  // Takes over a reference to `target`. Null: an empty waker.
  constexpr explicit Waker(WakerTarget* target) noexcept : target_(target) {}

  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  constexpr Waker(Waker&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  Waker& operator=(Waker&& other) noexcept {
    // The old reference goes last: dropping it may run code that sees *this.
    Waker old(std::move(*this));
    target_ = std::exchange(other.target_, nullptr);
    return *this;
  }
  ~Waker() {
    if (target_ != nullptr) target_->waker_vtable()->drop(target_);
  }

  // A second waker for the same task.
  [[nodiscard]] Waker Clone() const {
    if (target_ == nullptr) return Waker();
    return Waker(target_->waker_vtable()->clone(target_));
  }

  // Asks for another poll and gives up this waker, in one step where the
  // executor can. Nothing of the waiting future may be touched afterwards: the
  // poll may already have destroyed it.
  void Wake() && {
    if (target_ == nullptr) return;
    WakerTarget* const target = std::exchange(target_, nullptr);
    target->waker_vtable()->wake(target);
  }

  // Asks for another poll and keeps this waker.
  void WakeByRef() const {
    if (target_ != nullptr) target_->waker_vtable()->wake_by_ref(target_);
  }

  // True if waking either surely wakes the same task. False may be wrong.
  [[nodiscard]] bool WillWake(const Waker& other) const noexcept {
    return target_ == other.target_;
  }

  // False for an empty or moved-from waker.
  [[nodiscard]] explicit operator bool() const noexcept { return target_ != nullptr; }

  // Null for an empty waker.
  [[nodiscard]] WakerTarget* target() const noexcept { return target_; }

 private:
  WakerTarget* target_ = nullptr;
};

// A waker over a reference that somebody else keeps: it is lent to a poll and
// not dropped. An executor makes one a poll at no cost.
class BorrowedWaker {
 public:
  explicit BorrowedWaker(WakerTarget* target) noexcept : waker_(target) {}
  // Keeps the reference from being dropped: somebody else has taken it over.
  explicit BorrowedWaker(Waker waker) noexcept : waker_(std::move(waker)) {}
  BorrowedWaker(const BorrowedWaker&) = delete;
  BorrowedWaker& operator=(const BorrowedWaker&) = delete;
  ~BorrowedWaker() {}  // NOLINT: leaves waker_ undestroyed, it is only lent

  const Waker& get() const noexcept { return waker_; }

 private:
  union {
    Waker waker_;
  };
};

// The word of a waker, for a place where a state word says who owns it. Taking
// the waker out only reads, so that an owner and somebody who compares may look
// at the slot at once.
class WakerSlot {
 public:
  constexpr WakerSlot() noexcept = default;
  WakerSlot(const WakerSlot&) = delete;
  WakerSlot& operator=(const WakerSlot&) = delete;

  // Puts `waker` into a slot that holds none.
  void Put(Waker waker) noexcept {
    target_ = waker.target();
    const BorrowedWaker given_away(std::move(waker));
  }
  // The waker that was put in. At most once for each Put.
  [[nodiscard]] Waker Take() const noexcept { return Waker(target_); }

  // As Waker::WillWake.
  [[nodiscard]] bool WillWake(const Waker& other) const noexcept {
    return target_ == other.target();
  }

 private:
  WakerTarget* target_ = nullptr;
};

// Keeps `slot` the one waker that a leaf holds: replaces it only if it would
// wake another task. Returns true if it was replaced.
inline bool UpdateWaker(Waker& slot, const Waker& current) {
  if (slot && slot.WillWake(current)) return false;
  slot = current.Clone();
  return true;
}

}  // namespace home

#endif  // HOME_FUTURE_WAKER_H_
