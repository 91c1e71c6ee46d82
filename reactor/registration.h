// Registration: one descriptor watched by a reactor, until this object dies.
//
//   absl::StatusOr<Registration> r = reactor.Register(fd, Interest::Read());
//   ...
//   for (;;) {                                          // in a future's Poll()
//     home::Poll<ReadyEvent> ready = r->PollReady(Direction::kRead, cx);
//     if (ready.pending()) return kPending;
//     const ssize_t n = ::read(fd, buffer, size);
//     if (n < 0 && errno == EAGAIN) {
//       r->ClearReady(Direction::kRead, *ready);
//       continue;
//     }
//     return n;
//   }
//
// Readiness is remembered here, not in the kernel (which reports edges only):
// it stays until ClearReady(), which the owner calls when an operation said that
// it would block.
//
// The descriptor is borrowed. It must be nonblocking, and stay open until the
// registration is gone: destroy (or Reset) the registration, then close.
//
// Thread-safety: a descriptor has at most one reader and one writer at a time:
// functions on one direction are for one thread at a time, functions on
// different directions may run at once. Reset and destruction only when neither
// uses it; events may arrive meanwhile. A registration may outlive its reactor:
// from then on it is always ready, with ReadySet::shutdown().
// Memory ordering: as readiness.h says; what one poll wrote is seen by the next,
// on whatever thread the executor runs it.
// Cost: Register and Reset one system call and one short lock each. PollReady:
// one load if ready; to wait, one RMW and what cloning the waker costs.

#ifndef HOME_REACTOR_REGISTRATION_H_
#define HOME_REACTOR_REGISTRATION_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/reactor/ready.h"
#include "home/reactor/registry.h"

namespace home {

namespace reactor_internal {
class ReadinessLanes;
}  // namespace reactor_internal

class Registration {
 public:
  // Watches nothing; only for assigning to.
  Registration() = default;
  Registration(Registration&& other) noexcept
      : registry_(std::move(other.registry_)),
        slot_(std::exchange(other.slot_, nullptr)),
        fd_(std::exchange(other.fd_, -1)) {}
  Registration& operator=(Registration&& other) noexcept {
    if (this != &other) {
      Reset();
      registry_ = std::move(other.registry_);
      slot_ = std::exchange(other.slot_, nullptr);
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Registration() { Reset(); }

  // What is ready in `direction` now. If nothing, the context's waker is kept
  // (it replaces that of the last call) and woken by the next edge.
  home::Poll<ReadyEvent> PollReady(Direction direction, Context& cx) {
    return slot_->of(direction).PollReady(cx);
  }

  // What is ready now, perhaps nothing. Leaves no waker.
  [[nodiscard]] ReadyEvent CurrentReady(Direction direction) const {
    return slot_->of(direction).Current();
  }

  // The operation would block: forgets the readiness that led to it, unless
  // there was an edge since `seen`.
  void ClearReady(Direction direction, const ReadyEvent& seen) {
    slot_->of(direction).Clear(seen);
    registry_->Rearm(fd_, direction);
  }

  // Drops the waker that a pending PollReady() left.
  void CancelWait(Direction direction) { const Waker dropped = slot_->of(direction).Disarm(); }

  // Registers another descriptor with the same reactor.
  absl::StatusOr<Registration> RegisterSibling(int fd, Interest interest,
                                               ReadySet initial = ReadySet()) const {
    return Create(registry_, fd, interest, initial);
  }

  // Stops watching. Wakers that wait are dropped, not woken.
  void Reset() {
    if (slot_ == nullptr) return;
    registry_->Remove(std::exchange(slot_, nullptr), std::exchange(fd_, -1));
    registry_.reset();
  }

  // False for one that watches nothing.
  explicit operator bool() const { return slot_ != nullptr; }
  int fd() const { return fd_; }

 private:
  friend class Reactor;
  friend class reactor_internal::ReadinessLanes;

  Registration(std::shared_ptr<reactor_internal::Registry> registry, reactor_internal::Slot* slot,
               int fd)
      : registry_(std::move(registry)), slot_(slot), fd_(fd) {}

  static absl::StatusOr<Registration> Create(
      const std::shared_ptr<reactor_internal::Registry>& registry, int fd, Interest interest,
      ReadySet initial) {
    absl::StatusOr<reactor_internal::Slot*> slot = registry->Add(fd, interest, initial);
    if (!slot.ok()) return slot.status();
    return Registration(registry, *slot, fd);
  }

  std::shared_ptr<reactor_internal::Registry> registry_;
  reactor_internal::Slot* slot_ = nullptr;
  int fd_ = -1;
};

// Waits until one direction of a registration is ready. A future, and the
// building block of others: unlike most futures it may be polled again after
// ReadySet, for the next wait. Borrows the registration.
//
// Cancellation: dropping it loses nothing; its waker is dropped with it.
class [[nodiscard]] ReadyWait {
 public:
  using Output = ReadyEvent;

  ReadyWait(Registration& registration, Direction direction)
      : registration_(&registration), direction_(direction) {}
  ReadyWait(ReadyWait&& other) noexcept
      : registration_(other.registration_),
        direction_(other.direction_),
        waits_(std::exchange(other.waits_, false)) {}
  ReadyWait& operator=(ReadyWait&&) = delete;
  ~ReadyWait() {
    if (waits_) registration_->CancelWait(direction_);
  }

  home::Poll<ReadyEvent> Poll(Context& cx) {
    home::Poll<ReadyEvent> ready = registration_->PollReady(direction_, cx);
    waits_ = ready.pending();
    return ready;
  }
  // As Registration::ClearReady().
  void Clear(const ReadyEvent& seen) { registration_->ClearReady(direction_, seen); }

 private:
  Registration* registration_;
  Direction direction_;
  bool waits_ = false;
};

}  // namespace home

#endif  // HOME_REACTOR_REGISTRATION_H_
