// Waker: the handle by which whoever completes something tells a future's
// executor to poll it again.
//
// A waker is two words, data and a table of four functions, as in Rust's
// std::task. The executor makes one a poll; a leaf future clones it, keeps at
// most one, and wakes it when progress is possible:
//
//   if (!waker_.WillWake(cx.waker())) waker_ = cx.waker().Clone();
//
// Thread-safety: one Waker object belongs to one thread at a time; different
// clones may be used on different threads at once.
// Memory ordering: all that happens before Wake() happens before the poll that
// it causes. The executor's functions establish that, with a release or
// stronger RMW on the task's state that the next poll acquires.
// Cost: Clone and drop are what the executor makes them, for a task one atomic
// RMW each; WillWake compares two words.

#ifndef HOME_FUTURE_WAKER_H_
#define HOME_FUTURE_WAKER_H_

#include <utility>

namespace home {

// What an executor supplies. None of the functions may throw. Each may be
// called from any thread, and may run user code: a primitive never calls one
// while it holds an internal lock.
struct WakerVTable {
  // Returns the data of a new waker with the same table.
  void* (*clone)(void* data);
  // Wakes and gives up the reference that `data` stands for.
  void (*wake)(void* data);
  // Wakes and keeps the reference.
  void (*wake_by_ref)(void* data);
  // Gives up the reference.
  void (*drop)(void* data);
};

class Waker {
 public:
  // An empty waker: waking it does nothing.
  constexpr Waker() noexcept = default;
  // Takes over the reference that `data` stands for.
  constexpr Waker(void* data, const WakerVTable* vtable) noexcept : data_(data), vtable_(vtable) {}

  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  constexpr Waker(Waker&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        vtable_(std::exchange(other.vtable_, nullptr)) {}
  Waker& operator=(Waker&& other) noexcept {
    // The old reference goes last: dropping it may run code that sees *this.
    Waker old(std::move(*this));
    data_ = std::exchange(other.data_, nullptr);
    vtable_ = std::exchange(other.vtable_, nullptr);
    return *this;
  }
  ~Waker() {
    if (vtable_ != nullptr) vtable_->drop(data_);
  }

  // A second waker for the same task.
  [[nodiscard]] Waker Clone() const {
    if (vtable_ == nullptr) return Waker();
    return Waker(vtable_->clone(data_), vtable_);
  }

  // Asks for another poll and gives up this waker, in one step where the
  // executor can. Nothing of the waiting future may be touched afterwards: the
  // poll may already have destroyed it.
  void Wake() && {
    if (vtable_ == nullptr) return;
    const WakerVTable* vtable = std::exchange(vtable_, nullptr);
    vtable->wake(std::exchange(data_, nullptr));
  }

  // Asks for another poll and keeps this waker.
  void WakeByRef() const {
    if (vtable_ != nullptr) vtable_->wake_by_ref(data_);
  }

  // True if waking either surely wakes the same task. False may be wrong.
  [[nodiscard]] bool WillWake(const Waker& other) const noexcept {
    return data_ == other.data_ && vtable_ == other.vtable_;
  }

  // False for an empty or moved-from waker.
  [[nodiscard]] explicit operator bool() const noexcept { return vtable_ != nullptr; }

  void* data() const noexcept { return data_; }
  const WakerVTable* vtable() const noexcept { return vtable_; }

 private:
  void* data_ = nullptr;
  const WakerVTable* vtable_ = nullptr;
};

// A waker over a reference that somebody else keeps: it is lent to a poll and
// not dropped. An executor makes one a poll at no cost.
class BorrowedWaker {
 public:
  BorrowedWaker(void* data, const WakerVTable* vtable) noexcept : waker_(data, vtable) {}
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

// The words of a waker, for a place where a state word says who owns it. Taking
// the waker out only reads, so that an owner and somebody who compares may look
// at the slot at once.
class WakerSlot {
 public:
  constexpr WakerSlot() noexcept = default;
  WakerSlot(const WakerSlot&) = delete;
  WakerSlot& operator=(const WakerSlot&) = delete;

  // Puts `waker` into a slot that holds none.
  void Put(Waker waker) noexcept {
    data_ = waker.data();
    vtable_ = waker.vtable();
    const BorrowedWaker given_away(std::move(waker));
  }
  // The waker that was put in. At most once for each Put.
  [[nodiscard]] Waker Take() const noexcept { return Waker(data_, vtable_); }

  // As Waker::WillWake.
  [[nodiscard]] bool WillWake(const Waker& other) const noexcept {
    return data_ == other.data() && vtable_ == other.vtable();
  }

 private:
  void* data_ = nullptr;
  const WakerVTable* vtable_ = nullptr;
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
