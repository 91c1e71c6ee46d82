// Semaphore: permits, of which a request takes some and gives them back.
//
//   Semaphore connections(100);
//   auto permit = co_await connections.Acquire();       // StatusOr: kFailedPrecondition once
//   if (!permit.ok()) co_return permit.status();        // the semaphore is closed
//   co_await Serve(...);                                // the permit goes back with its scope
//
//   auto many = co_await memory.Acquire(bytes);         // weighted: all of them or none
//   auto owned = co_await AcquireOwned(shared, 3);      // keeps a shared_ptr
//
// Fairness: first come, first served. While somebody waits nobody passes it, so a request for
// many is not starved by those for few; who comes behind it waits, too, although there might be
// enough for it.
//
// Thread-safety: all functions from any thread. A future or permit belongs to one thread at a
// time. A future, and a SemaphorePermit, must not outlive the semaphore.
// Memory ordering: what precedes the giving back of a permit, or Add(), happens before what
// follows an acquisition that it makes possible.
// Cost: acquiring and giving back are one RMW each if nobody waits. Waiting allocates nothing.
// 32 bytes.
// Algorithm: grant_queue.h.

#ifndef HOME_SYNC_SEMAPHORE_H_
#define HOME_SYNC_SEMAPHORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"

namespace home {
namespace sync_internal {

// The word: permits. A request: their number; both in units of kOne.
struct PermitKind {
  static constexpr const char* kName = "Semaphore";

  template <typename Policy>
  using Queue = GrantQueue<PermitKind, Policy>;

  static std::optional<std::uint64_t> Take(std::uint64_t word, std::uint64_t request) {
    if (word < request) return std::nullopt;
    return word - request;
  }
  static bool IsUrgent(std::uint64_t, std::uint64_t) { return false; }
  template <typename Policy>
  static void GiveBack(Queue<Policy>& queue, std::uint64_t request) {
    queue.Give(request);
  }
};
using PermitQueue = GrantQueue<PermitKind>;

}  // namespace sync_internal

class Semaphore;

// Permits that are given back in the end. `Handle` is a pointer to the semaphore, which keeps it
// or not.
template <typename Handle>
class [[nodiscard]] BasicSemaphorePermit {
 public:
  using Mark = internal::LockMark<BasicSemaphorePermit>;

  // For the semaphore: takes over permits that are taken.
  BasicSemaphorePermit(Handle semaphore, std::size_t count, Mark mark) noexcept
      : semaphore_(std::move(semaphore)), count_(count), mark_(std::move(mark)) {
    if (count != 0) {
      mark_.Hold();
    } else {
      mark_.Release();
    }
  }
  BasicSemaphorePermit(BasicSemaphorePermit&& other) noexcept
      : semaphore_(std::move(other.semaphore_)),
        count_(std::exchange(other.count_, 0)),
        mark_(std::move(other.mark_)) {}
  BasicSemaphorePermit& operator=(BasicSemaphorePermit&& other) noexcept {
    BasicSemaphorePermit old(std::move(*this));
    semaphore_ = std::move(other.semaphore_);
    count_ = std::exchange(other.count_, 0);
    mark_ = std::move(other.mark_);
    return *this;
  }
  ~BasicSemaphorePermit();

  // How many it holds.
  [[nodiscard]] std::size_t count() const { return count_; }
  // They are never given back.
  void Forget() {
    count_ = 0;
    mark_.Release();
  }
  // A permit for `count` of them, at most count(), which this one has no more.
  [[nodiscard]] BasicSemaphorePermit Split(std::size_t count) {
    if (count > count_) Fatal("a semaphore's permit was split into more than it holds");
    count_ -= count;
    BasicSemaphorePermit split(semaphore_, count, mark_.Another());
    if (count_ == 0) mark_.Release();
    return split;
  }
  // Takes over those of `other`, which is of the same semaphore.
  void Merge(BasicSemaphorePermit other) {
    if (other.semaphore_ != semaphore_) Fatal("permits of two semaphores were merged");
    if (count_ == 0) mark_ = std::move(other.mark_);
    count_ += std::exchange(other.count_, 0);
  }

 private:
  Handle semaphore_;
  std::size_t count_;
  [[no_unique_address]] Mark mark_;
};

using SemaphorePermit = BasicSemaphorePermit<Semaphore*>;
// For a task that must keep the semaphore alive.
using OwnedSemaphorePermit = BasicSemaphorePermit<std::shared_ptr<Semaphore>>;

// What Acquire() and AcquireOwned() return. Movable before its first poll.
template <typename Handle>
class [[nodiscard]] AcquireFuture {
 public:
  using Output = absl::StatusOr<BasicSemaphorePermit<Handle>>;
  static constexpr const char* kName = "Semaphore::Acquire";

  AcquireFuture(Handle semaphore, std::size_t count, const internal::LockPlace& place);

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    const sync_internal::Grant grant = wait_.Poll(cx, "semaphore");
    if (grant == sync_internal::Grant::kWaits) {
      mark_.Wait();
      return check_.Pending();
    }
    if (grant == sync_internal::Grant::kReleased) {
      mark_.Release();
      return Output(absl::FailedPreconditionError("semaphore acquire: the semaphore is closed"));
    }
    return Output(std::in_place, std::move(semaphore_), count_, Mark(std::move(mark_)));
  }

 private:
  using Mark = typename BasicSemaphorePermit<Handle>::Mark;

  [[no_unique_address]] internal::PollCheck<AcquireFuture> check_;
  Handle semaphore_;
  std::size_t count_;
  sync_internal::GrantWait<sync_internal::PermitKind> wait_;
  [[no_unique_address]] internal::LockMark<AcquireFuture> mark_;
};

class Semaphore {
 public:
  // How many permits there may be.
  static constexpr std::size_t kMost = UINT64_MAX / 8;

  explicit Semaphore(std::size_t permits) : queue_(Units(permits)) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // `count` permits once there are so many and nobody waits in front; or kFailedPrecondition.
  // Cancellation: dropping the future loses the place in the queue; permits that it was granted
  // go on to the next.
  [[nodiscard]] AcquireFuture<Semaphore*> Acquire(
      std::size_t count = 1, const internal::LockPlace& place = std::source_location::current()) {
    return AcquireFuture<Semaphore*>(this, count, place);
  }
  // `count` permits if there are so many now and nobody waits.
  [[nodiscard]] std::optional<SemaphorePermit> TryAcquire(
      std::size_t count = 1, const internal::LockPlace& place = std::source_location::current()) {
    return Try(this, count, place);
  }

  // There are `count` permits more.
  void Add(std::size_t count) { queue_.Give(Units(count)); }
  // Up to `count` of the permits that are free now are no more; their number, which is 0 while
  // somebody waits for them, and once it is closed.
  std::size_t Forget(std::size_t count) {
    while (true) {
      const std::size_t some = std::min(count, available());
      if (some == 0 || queue_.TryTake(Units(some))) return some;
      if (queue_.HasWaiters() || IsClosed()) return 0;
    }
  }

  // Ends all waits, now and later, with kFailedPrecondition. Permits can still be given back.
  void Close() { queue_.Close(); }
  [[nodiscard]] bool IsClosed() const { return queue_.IsClosed(); }
  // The free permits at this moment.
  [[nodiscard]] std::size_t available() const {
    return static_cast<std::size_t>(queue_.word() / sync_internal::PermitQueue::kOne);
  }

 private:
  template <typename Handle>
  friend class AcquireFuture;
  friend std::optional<OwnedSemaphorePermit> TryAcquireOwned(std::shared_ptr<Semaphore> semaphore,
                                                             std::size_t count,
                                                             const internal::LockPlace& place);

  template <typename Handle>
  static std::optional<BasicSemaphorePermit<Handle>> Try(Handle semaphore, std::size_t count,
                                                         const internal::LockPlace& place) {
    if (!semaphore->queue_.TryTake(Units(count))) return std::nullopt;
    using Permit = BasicSemaphorePermit<Handle>;
    typename Permit::Mark mark(internal::kPermitKind, std::to_address(semaphore), place);
    return Permit(std::move(semaphore), count, std::move(mark));
  }

  static std::uint64_t Units(std::size_t permits) {
    if (permits > kMost) Fatal("more permits than a semaphore can have");
    return permits * sync_internal::PermitQueue::kOne;
  }

  sync_internal::PermitQueue queue_;
};

template <typename Handle>
BasicSemaphorePermit<Handle>::~BasicSemaphorePermit() {
  if (count_ == 0) return;
  mark_.Release();
  semaphore_->Add(count_);
}

template <typename Handle>
AcquireFuture<Handle>::AcquireFuture(Handle semaphore, std::size_t count,
                                     const internal::LockPlace& place)
    : semaphore_(std::move(semaphore)),
      count_(count),
      wait_(semaphore_->queue_, Semaphore::Units(count)),
      mark_(internal::kPermitKind, std::to_address(semaphore_), place) {}

// As semaphore->Acquire(), for a permit that keeps the semaphore.
// Cancellation: as Semaphore::Acquire(): dropping the future loses the place in the queue, no
// permits.
[[nodiscard]] inline AcquireFuture<std::shared_ptr<Semaphore>> AcquireOwned(
    std::shared_ptr<Semaphore> semaphore, std::size_t count = 1,
    const internal::LockPlace& place = std::source_location::current()) {
  return AcquireFuture<std::shared_ptr<Semaphore>>(std::move(semaphore), count, place);
}
// As semaphore->TryAcquire(), the same.
[[nodiscard]] inline std::optional<OwnedSemaphorePermit> TryAcquireOwned(
    std::shared_ptr<Semaphore> semaphore, std::size_t count = 1,
    const internal::LockPlace& place = std::source_location::current()) {
  return Semaphore::Try(std::move(semaphore), count, place);
}

}  // namespace home

#endif  // HOME_SYNC_SEMAPHORE_H_
