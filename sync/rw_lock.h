// RwLock: a value that many read, or one writes, at a time.
//
//   RwLock<Routes> routes;
//   auto reading = co_await routes.Read();            // const Routes&
//   auto writing = co_await routes.Write();           // Routes&
//   auto reader = std::move(writing).Downgrade();     // nobody writes in between
//
//   auto looking = co_await routes.UpgradableRead();  // beside readers, but one at a time
//   if (looking->Lacks(route)) {
//     auto adding = co_await std::move(looking).Upgrade();   // nobody wrote in between
//     adding->Add(route);
//   }
//
// Guards may be held across an await and be moved to another thread. For what is never held
// across an await absl::Mutex is cheaper.
//
// Fairness: RwLockMode::kFair serves in order of coming, readers together up to the next writer.
// kPreferWriters puts a writer before all readers that wait: then readers starve for as long as
// writers keep coming. In both no reader passes a writer that waits, so readers that keep coming
// starve none. An upgrade comes before all: it holds a place already.
// So a task that holds one guard and waits for a second one of the same lock may wait for ever:
// a writer may have come in between.
//
// There is no poisoning, see mutex.h.
//
// Thread-safety: all functions from any thread. A guard or future belongs to one thread at a time.
// A future, and a guard that is not an owned one, must not outlive the lock.
// Memory ordering: what precedes the end of a write happens before what follows a later read or
// write; what precedes the end of a read, before what follows a later write.
// Cost: locking and unlocking are one RMW each if nobody waits. Waiting allocates nothing.
// 40 bytes besides the value.
// Algorithm: grant_queue.h.

#ifndef HOME_SYNC_RW_LOCK_H_
#define HOME_SYNC_RW_LOCK_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "home/future/context.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"

namespace home {

enum class RwLockMode : std::uint8_t { kFair, kPreferWriters };

namespace sync_internal {

// The word: a writer, one who may become a writer, the number of readers. A request is what it
// adds to the word, but for the two that are named.
struct RwKind {
  static constexpr const char* kName = "RwLock";
  static constexpr std::uint64_t kWriter = 4;
  static constexpr std::uint64_t kUpgradable = 8;
  static constexpr std::uint64_t kReader = 16;
  static constexpr std::uint64_t kPreferredWriter = 1;  // A writer that passes readers.
  static constexpr std::uint64_t kUpgrade = 2;          // By one who holds kUpgradable.

  static std::optional<std::uint64_t> Take(std::uint64_t word, std::uint64_t request) {
    switch (request) {
      case kReader:
        if ((word & kWriter) != 0) return std::nullopt;
        return word + kReader;
      case kUpgradable:
        if ((word & (kWriter | kUpgradable)) != 0) return std::nullopt;
        return word + kUpgradable;
      case kUpgrade:
        if (word != kUpgradable) return std::nullopt;
        return kWriter;
      default:
        if (word != 0) return std::nullopt;
        return kWriter;
    }
  }
  static bool IsUrgent(std::uint64_t request, std::uint64_t other) {
    if (request == kUpgrade) return true;
    return request == kPreferredWriter && (other == kReader || other == kUpgradable);
  }
  // What it is called in a report, of what is held.
  static const char* NameOf(std::uint64_t held) {
    if (held == kWriter) return "rw lock (write)";
    return held == kReader ? "rw lock (read)" : "rw lock (upgradable read)";
  }
  // What a granted request holds.
  static std::uint64_t Held(std::uint64_t request) {
    return request == kReader || request == kUpgradable ? request : kWriter;
  }
  template <typename Policy>
  static void GiveBack(GrantQueue<RwKind, Policy>& queue, std::uint64_t request) {
    // Of an upgrade its holder keeps what it had.
    queue.Give((request == kUpgrade ? kUpgradable : 0) - Held(request));
  }
};
static_assert(RwKind::kWriter == GrantQueue<RwKind>::kOne);

}  // namespace sync_internal

template <typename T>
class RwLock;
template <typename T, typename Handle>
class RwLockUpgradableGuard;

namespace sync_internal {

// What a guard holds of a lock; gives it back in the end. `Handle` is a pointer to the lock,
// which keeps it or not.
template <typename Handle>
class RwHold {
 public:
  using Mark = internal::LockMark<RwHold>;

  // Takes over `held` of the lock's word.
  RwHold(Handle lock, std::uint64_t held, Mark mark) noexcept
      : lock_(std::move(lock)), held_(held), mark_(std::move(mark)) {
    mark_.Hold();
  }
  RwHold(RwHold&& other) noexcept
      : lock_(std::exchange(other.lock_, nullptr)),
        held_(other.held_),
        mark_(std::move(other.mark_)) {}
  RwHold& operator=(RwHold&& other) noexcept {
    RwHold old(std::move(*this));
    lock_ = std::exchange(other.lock_, nullptr);
    held_ = other.held_;
    mark_ = std::move(other.mark_);
    return *this;
  }
  ~RwHold() {
    if (lock_ == nullptr) return;
    mark_.Release();
    lock_->queue_.Give(-held_);
  }

  // Less, from now on.
  RwHold Exchange(std::uint64_t held) && {
    mark_.Become(RwKind::NameOf(held));
    lock_->queue_.Give(held - held_);
    held_ = held;
    return std::move(*this);
  }
  // Gives nothing back: somebody else does.
  Handle Disown() && {
    mark_.Release();
    return std::exchange(lock_, nullptr);
  }

  [[nodiscard]] auto& value() const { return lock_->value_; }
  [[nodiscard]] auto& queue() const { return lock_->queue_; }
  [[nodiscard]] const void* lock() const { return std::to_address(lock_); }

 private:
  Handle lock_;
  std::uint64_t held_;
  [[no_unique_address]] Mark mark_;
};

}  // namespace sync_internal

// The right to read.
template <typename T, typename Handle>
class [[nodiscard]] RwLockReadGuard {
 public:
  // For the lock.
  explicit RwLockReadGuard(sync_internal::RwHold<Handle> hold) noexcept : hold_(std::move(hold)) {}

  [[nodiscard]] const T& operator*() const { return hold_.value(); }
  [[nodiscard]] const T* operator->() const { return std::addressof(hold_.value()); }

 private:
  sync_internal::RwHold<Handle> hold_;
};

// The right to write.
template <typename T, typename Handle>
class [[nodiscard]] RwLockWriteGuard {
 public:
  // For the lock.
  explicit RwLockWriteGuard(sync_internal::RwHold<Handle> hold) noexcept : hold_(std::move(hold)) {}

  [[nodiscard]] T& operator*() const { return hold_.value(); }
  [[nodiscard]] T* operator->() const { return std::addressof(hold_.value()); }

  // The right to read instead, with no writer in between.
  RwLockReadGuard<T, Handle> Downgrade() && {
    return RwLockReadGuard<T, Handle>(std::move(hold_).Exchange(sync_internal::RwKind::kReader));
  }
  RwLockUpgradableGuard<T, Handle> DowngradeToUpgradable() && {
    return RwLockUpgradableGuard<T, Handle>(
        std::move(hold_).Exchange(sync_internal::RwKind::kUpgradable));
  }

 private:
  sync_internal::RwHold<Handle> hold_;
};

// What Read(), Write() and the like return, and the forms that own the lock. Movable before its
// first poll.
template <typename Guard, typename Handle>
class [[nodiscard]] RwLockFuture {
 public:
  using Output = Guard;
  static constexpr const char* kName = "RwLock";

  RwLockFuture(Handle lock, std::uint64_t request, const internal::LockPlace& place)
      : lock_(std::move(lock)),
        request_(request),
        wait_(lock_->queue_, request),
        mark_(Kind::NameOf(Kind::Held(request)), std::to_address(lock_), place) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (wait_.Poll(cx, "rw lock") == sync_internal::Grant::kWaits) {
      mark_.Wait();
      return check_.Pending();
    }
    return Output(
        Hold(std::move(lock_), Kind::Held(request_), typename Hold::Mark(std::move(mark_))));
  }

 private:
  using Kind = sync_internal::RwKind;
  using Hold = sync_internal::RwHold<Handle>;

  [[no_unique_address]] internal::PollCheck<RwLockFuture> check_;
  Handle lock_;
  std::uint64_t request_;
  sync_internal::GrantWait<sync_internal::RwKind> wait_;
  [[no_unique_address]] internal::LockMark<RwLockFuture> mark_;
};

// What Upgrade() returns. Movable before its first poll.
template <typename T, typename Handle>
class [[nodiscard]] RwLockUpgradeFuture {
 public:
  using Output = RwLockWriteGuard<T, Handle>;
  static constexpr const char* kName = "RwLock upgrade";

  RwLockUpgradeFuture(sync_internal::RwHold<Handle> hold, const internal::LockPlace& place)
      : hold_(std::move(hold)),
        wait_(hold_.queue(), Kind::kUpgrade),
        mark_(Kind::NameOf(Kind::kWriter), hold_.lock(), place) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (wait_.Poll(cx, "rw lock upgrade") == sync_internal::Grant::kWaits) {
      mark_.Wait();
      return check_.Pending();
    }
    return Output(
        Hold(std::move(hold_).Disown(), Kind::kWriter, typename Hold::Mark(std::move(mark_))));
  }

 private:
  using Kind = sync_internal::RwKind;
  using Hold = sync_internal::RwHold<Handle>;

  [[no_unique_address]] internal::PollCheck<RwLockUpgradeFuture> check_;
  Hold hold_;
  sync_internal::GrantWait<Kind> wait_;
  [[no_unique_address]] internal::LockMark<RwLockUpgradeFuture> mark_;
};

// The right to read, and, alone of those who have it, to become a writer.
template <typename T, typename Handle>
class [[nodiscard]] RwLockUpgradableGuard {
 public:
  // For the lock.
  explicit RwLockUpgradableGuard(sync_internal::RwHold<Handle> hold) noexcept
      : hold_(std::move(hold)) {}

  [[nodiscard]] const T& operator*() const { return hold_.value(); }
  [[nodiscard]] const T* operator->() const { return std::addressof(hold_.value()); }

  // The right to write instead, once all other readers are gone; none comes any more.
  // Cancellation: dropping the future gives up the right to read, too.
  RwLockUpgradeFuture<T, Handle> Upgrade(
      const internal::LockPlace& place = std::source_location::current()) && {
    return RwLockUpgradeFuture<T, Handle>(std::move(hold_), place);
  }
  // The right to read only, instead.
  RwLockReadGuard<T, Handle> Downgrade() && {
    return RwLockReadGuard<T, Handle>(std::move(hold_).Exchange(sync_internal::RwKind::kReader));
  }

 private:
  sync_internal::RwHold<Handle> hold_;
};

template <typename T>
class RwLock {
  template <typename Guard>
  using Future = RwLockFuture<Guard, RwLock*>;
  using Kind = sync_internal::RwKind;
  using Place = internal::LockPlace;

 public:
  using ReadGuard = RwLockReadGuard<T, RwLock*>;
  using WriteGuard = RwLockWriteGuard<T, RwLock*>;
  using UpgradableGuard = RwLockUpgradableGuard<T, RwLock*>;
  // For tasks that must keep the lock alive.
  using Shared = std::shared_ptr<RwLock>;
  using OwnedReadGuard = RwLockReadGuard<T, Shared>;
  using OwnedWriteGuard = RwLockWriteGuard<T, Shared>;
  using OwnedUpgradableGuard = RwLockUpgradableGuard<T, Shared>;

  template <typename... Args>
    requires std::constructible_from<T, Args...>
  explicit RwLock(RwLockMode mode, Args&&... args)
      : write_request_(mode == RwLockMode::kFair ? Kind::kWriter : Kind::kPreferredWriter),
        value_(std::forward<Args>(args)...) {}
  // A fair one.
  RwLock()
    requires std::default_initializable<T>
      : RwLock(RwLockMode::kFair) {}
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  // A guard, once the lock allows it.
  // Cancellation, of all: dropping the future loses the place in the queue; what it was granted
  // goes on to the next.
  [[nodiscard]] Future<ReadGuard> Read(const Place& place = std::source_location::current()) {
    return Future<ReadGuard>(this, Kind::kReader, place);
  }
  [[nodiscard]] Future<WriteGuard> Write(const Place& place = std::source_location::current()) {
    return Future<WriteGuard>(this, write_request_, place);
  }
  [[nodiscard]] Future<UpgradableGuard> UpgradableRead(
      const Place& place = std::source_location::current()) {
    return Future<UpgradableGuard>(this, Kind::kUpgradable, place);
  }

  // A guard if that is possible now and nobody waits.
  [[nodiscard]] std::optional<ReadGuard> TryRead(
      const Place& place = std::source_location::current()) {
    return Try<ReadGuard>(this, Kind::kReader, place);
  }
  [[nodiscard]] std::optional<WriteGuard> TryWrite(
      const Place& place = std::source_location::current()) {
    return Try<WriteGuard>(this, Kind::kWriter, place);
  }
  [[nodiscard]] std::optional<UpgradableGuard> TryUpgradableRead(
      const Place& place = std::source_location::current()) {
    return Try<UpgradableGuard>(this, Kind::kUpgradable, place);
  }

  // The same, of both, for a guard that keeps the lock.
  // Cancellation: as Read(), Write() and UpgradableRead().
  [[nodiscard]] static RwLockFuture<OwnedReadGuard, Shared> ReadOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    return RwLockFuture<OwnedReadGuard, Shared>(std::move(lock), Kind::kReader, place);
  }
  [[nodiscard]] static RwLockFuture<OwnedWriteGuard, Shared> WriteOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    const std::uint64_t request = lock->write_request_;
    return RwLockFuture<OwnedWriteGuard, Shared>(std::move(lock), request, place);
  }
  [[nodiscard]] static RwLockFuture<OwnedUpgradableGuard, Shared> UpgradableReadOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    return RwLockFuture<OwnedUpgradableGuard, Shared>(std::move(lock), Kind::kUpgradable, place);
  }
  [[nodiscard]] static std::optional<OwnedReadGuard> TryReadOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    return Try<OwnedReadGuard>(std::move(lock), Kind::kReader, place);
  }
  [[nodiscard]] static std::optional<OwnedWriteGuard> TryWriteOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    return Try<OwnedWriteGuard>(std::move(lock), Kind::kWriter, place);
  }
  [[nodiscard]] static std::optional<OwnedUpgradableGuard> TryUpgradableReadOwned(
      Shared lock, const Place& place = std::source_location::current()) {
    return Try<OwnedUpgradableGuard>(std::move(lock), Kind::kUpgradable, place);
  }

  // The value, for one who knows that nobody else uses the lock.
  [[nodiscard]] T& Unguarded() { return value_; }

 private:
  template <typename Handle>
  friend class sync_internal::RwHold;
  template <typename Guard, typename Handle>
  friend class RwLockFuture;

  template <typename Guard, typename Handle>
  static std::optional<Guard> Try(Handle lock, std::uint64_t request, const Place& place) {
    if (!lock->queue_.TryTake(request)) return std::nullopt;
    using Hold = sync_internal::RwHold<Handle>;
    const std::uint64_t held = Kind::Held(request);
    typename Hold::Mark mark(Kind::NameOf(held), std::to_address(lock), place);
    return Guard(Hold(std::move(lock), held, std::move(mark)));
  }

  sync_internal::GrantQueue<Kind> queue_{0};
  const std::uint64_t write_request_;
  T value_;
};

}  // namespace home

#endif  // HOME_SYNC_RW_LOCK_H_
