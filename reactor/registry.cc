#include "home/reactor/registry.h"

#include <mutex>
#include <utility>

#include "absl/status/status.h"

namespace home::reactor_internal {

absl::StatusOr<Slot*> Registry::Add(int fd, Interest interest, ReadySet initial) {
  Slot* slot;
  std::uint64_t key;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (shut_down_) {
      return absl::FailedPreconditionError("register a descriptor: the reactor is shut down");
    }
    slot = slab_.Allocate();
    if (slot == nullptr) {
      return absl::ResourceExhaustedError("register a descriptor: too many are registered");
    }
    // No event carries this generation yet, so nothing can come in between.
    for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
      const Waker none =
          slot->of(direction).Reset(slot->generation, initial & ReadySet::MaskOf(direction));
    }
    key = slot->key();
  }
  absl::Status added = poller_->Add(fd, interest, key);
  if (!added.ok()) {
    Release(slot);
    return added;
  }
  return slot;
}

void Registry::Remove(Slot* slot, int fd) {
  // First the system, then the slot: a late event finds another generation.
  poller_->Remove(fd);
  Release(slot);
}

void Registry::Release(Slot* slot) {
  // Declared before the lock: dropping a waker may run anybody's code.
  Waker reader;
  Waker writer;
  const std::lock_guard<std::mutex> lock(mutex_);
  ++slot->generation;
  reader = slot->of(Direction::kRead).Reset(slot->generation, ReadySet());
  writer = slot->of(Direction::kWrite).Reset(slot->generation, ReadySet());
  slab_.Free(slot);
}

bool Registry::Dispatch(const Poller::Event& event, WakeList& wakes) {
  Slot* slot = slab_.Find(static_cast<std::uint32_t>(event.key));
  if (slot == nullptr) return false;
  const auto generation = static_cast<std::uint32_t>(event.key >> 32);
  bool live = false;
  for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
    const ReadySet ready = event.ready & ReadySet::MaskOf(direction);
    if (ready.empty()) continue;
    Waker waker;
    live |= slot->of(direction).Report(generation, ready, &waker);
    if (!waker) continue;
    // Most likely a task, whose header is two lines: there until it is woken, after the events
    // that follow.
    const auto task = reinterpret_cast<std::uintptr_t>(waker.target());
    __builtin_prefetch(reinterpret_cast<const void*>(task));
    __builtin_prefetch(reinterpret_cast<const void*>(task + 64));
    wakes.Push(std::move(waker));
  }
  return live;
}

void Registry::Shutdown(WakeList& wakes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  shut_down_ = true;
  for (std::uint32_t index = 0; index < slab_.used(); ++index) {
    Slot* slot = slab_.Find(index);
    // Free slots are marked as well; nobody will be given one again.
    for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
      Waker waker;
      slot->of(direction).Report(slot->generation, ReadySet(ReadySet::kShutdown), &waker);
      if (waker) wakes.Push(std::move(waker));
    }
  }
}

}  // namespace home::reactor_internal
