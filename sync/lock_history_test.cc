// Random histories of Mutex, RwLock and Semaphore, with waits that are given up and tasks that
// are aborted, against specifications: see history_testing.h.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/sync/history_testing.h"
#include "home/sync/line_testing.h"
#include "home/sync/mutex.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"

namespace home::sync_testing {
namespace {

constexpr int kRounds = 4;

// -- Mutex ----------------------------------------------------------------------------------

// Who waits competes, so there is no order to keep. Each owner writes a number, which the next
// one sees: that is the result of locking, or -1 of a try that failed. The argument of unlocking
// is what it leaves there.
enum class MutexKind { kLock, kTryLock, kUnlock };
struct MutexSpec : NumberSpec<MutexSpec, MutexKind> {
  static int Acts(const Op& op) {
    if (op.call.kind != Kind::kLock) return 1;
    // One that is given up may have been handed the lock, and gives it back.
    return op.end == End::kReturned ? 1 : op.end == End::kCancelled ? 2 : 0;
  }
  bool Act(std::size_t, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kLock:
        if (n == 1) {
          locked = false;
          return true;
        }
        if (locked || (op.result && *op.result != value)) return false;
        locked = true;
        return true;
      case Kind::kTryLock:
        if (locked) return op.result == -1;
        locked = true;
        return op.result == value;
      case Kind::kUnlock:
        locked = false;
        value = op.call.argument;
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t, const Op&) const { return locked; }

  static constexpr const char* kNames[] = {"lock", "try lock", "unlock"};
  auto State() const { return std::tie(locked, value); }

  bool locked = false;
  int value = 0;
};

template <typename Guard>
Async<void> HoldMutex(History<MutexSpec>* history, Guard guard, int number) {
  const int before = *guard;
  Held<MutexSpec, Guard> held(history, std::move(guard),
                              {.kind = MutexSpec::Kind::kUnlock, .argument = before});
  co_await Turns(Draw(3));
  *held.guard() = number;
  held.set_end({.kind = MutexSpec::Kind::kUnlock, .argument = number});
}

template <typename MutexType>
Async<void> UseMutex(History<MutexSpec>* history, MutexType* mutex, int index) {
  for (int round = 1; round <= kRounds; ++round) {
    const int number = 10 * round + index;
    if (Draw(4) != 0) {
      auto guard = co_await Record(history, {.kind = MutexSpec::Kind::kLock}, mutex->Lock(),
                                   [](const auto& locked) { return *locked; });
      if (guard) co_await HoldMutex(history, *std::move(guard), number);
    } else {
      decltype(mutex->TryLock()) guard;
      RecordNow(history, {.kind = MutexSpec::Kind::kTryLock}, [&] {
        guard = mutex->TryLock();
        return guard ? **guard : -1;
      });
      if (guard) co_await HoldMutex(history, *std::move(guard), number);
    }
    co_await Turns(Draw(2));
  }
}

TEST(LockHistoryTest, Mutex) {
  EXPECT_TRUE(AgreesUnderEverySeed<MutexSpec>([](MutexSpec&) { return Mutex<int>(); },
                                              UseMutex<Mutex<int>>));
}

// The same by its owned forms.
class OwnedMutex {
 public:
  auto Lock() { return LockOwned(mutex_); }
  auto TryLock() { return TryLockOwned(mutex_); }

 private:
  std::shared_ptr<Mutex<int>> mutex_ = std::make_shared<Mutex<int>>();
};

TEST(LockHistoryTest, OwnedMutex) {
  EXPECT_TRUE(AgreesUnderEverySeed<MutexSpec>([](MutexSpec&) { return OwnedMutex(); },
                                              UseMutex<OwnedMutex>));
}

// Two may have it at a time.
class MutexForTwo {
 public:
  auto Lock() { return Next().Lock(); }
  auto TryLock() { return Next().TryLock(); }

 private:
  Mutex<int>& Next() { return halves_[next_++ % 2]; }

  Mutex<int> halves_[2];
  std::size_t next_ = 0;
};

TEST(LockHistoryMutationTest, AMutexThatTwoHaveIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<MutexSpec>([](MutexSpec&) { return MutexForTwo(); },
                                                UseMutex<MutexForTwo>));
}

// -- Semaphore ------------------------------------------------------------------------------

enum class SemaphoreKind { kAcquire, kTryAcquire, kAdd, kForget, kClose };

// The result is whether it got them; of forgetting, how many.
struct SemaphoreSpec : NumberSpec<SemaphoreSpec, SemaphoreKind> {
  struct Stock : Compared<Stock> {
    bool Take(int request) {
      if (permits < request) return false;
      permits -= request;
      return true;
    }
    void GiveBack(int request) { permits += request; }
    static bool Precedes(int, int) { return false; }
    auto State() const { return std::tie(permits); }
    int permits = 0;
  };

  static constexpr int kPermits = 3;
  SemaphoreSpec() { line.stock.permits = kPermits; }

  static int Acts(const Op& op) { return AsksFirst(op) ? Line<Stock>::ActsOfWaiting(op) : 1; }
  static bool AsksFirst(const Op& op) { return op.call.kind == Kind::kAcquire; }
  bool Act(std::size_t id, const Op& op, int n) {
    const int count = op.call.argument;
    switch (op.call.kind) {
      case Kind::kAcquire:
        return line.ActOfWaiting(id, op, count, n, op.result == 1);
      case Kind::kTryAcquire:
        return op.result == (line.Try(count) ? 1 : 0);
      case Kind::kAdd:
        line.stock.GiveBack(count);
        line.Serve();
        return true;
      case Kind::kForget: {
        const int some = std::min(count, line.stock.permits);
        return op.result == (line.Try(some) ? some : 0);
      }
      case Kind::kClose:
        line.closed = true;
        line.Release();
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op&) const { return line.MayWait(id); }

  static constexpr const char* kNames[] = {"acquire", "try acquire", "add", "forget", "close"};
  auto State() const { return std::tie(line); }

  Line<Stock> line;
};

template <typename SemaphoreType>
Async<void> UseSemaphore(History<SemaphoreSpec>* history, SemaphoreType* semaphore, int) {
  using Kind = SemaphoreSpec::Kind;
  using Permit = typename decltype(semaphore->TryAcquire(1))::value_type;
  for (int round = 0; round < kRounds; ++round) {
    const int count = Draw(3) + 1;
    const auto permits = static_cast<std::size_t>(count);
    switch (Draw(8)) {
      case 0:
        RecordNow(history, {.kind = Kind::kForget, .argument = count},
                  [&] { return static_cast<int>(semaphore->Forget(permits)); });
        break;
      case 1:
        RecordNow(history, {.kind = Kind::kAdd, .argument = count}, [&] {
          semaphore->Add(permits);
          return 0;
        });
        break;
      case 2:
        if (Draw(4) != 0) break;
        RecordNow(history, {.kind = Kind::kClose}, [&] {
          semaphore->Close();
          return 0;
        });
        break;
      case 3: {
        std::optional<Permit> permit;
        RecordNow(history, {.kind = Kind::kTryAcquire, .argument = count}, [&] {
          permit = semaphore->TryAcquire(permits);
          return permit ? 1 : 0;
        });
        if (!permit) break;
        const Held<SemaphoreSpec, Permit> held(history, *std::move(permit),
                                               {.kind = Kind::kAdd, .argument = count});
        co_await Turns(Draw(3));
        break;
      }
      default: {
        auto permit = co_await Record(
            history, {.kind = Kind::kAcquire, .argument = count}, semaphore->Acquire(permits),
            [](const absl::StatusOr<Permit>& acquired) { return acquired.ok() ? 1 : 0; });
        if (!permit || !permit->ok()) break;
        const Held<SemaphoreSpec, Permit> held(history, **std::move(permit),
                                               {.kind = Kind::kAdd, .argument = count});
        co_await Turns(Draw(3));
      }
    }
    co_await Turns(Draw(2));
  }
}

TEST(LockHistoryTest, Semaphore) {
  EXPECT_TRUE(AgreesUnderEverySeed<SemaphoreSpec>(
      [](SemaphoreSpec&) { return Semaphore(SemaphoreSpec::kPermits); }, UseSemaphore<Semaphore>));
}

// The same by its owned forms.
class OwnedSemaphore {
 public:
  auto Acquire(std::size_t count) { return AcquireOwned(semaphore_, count); }
  auto TryAcquire(std::size_t count) { return TryAcquireOwned(semaphore_, count); }
  void Add(std::size_t count) { semaphore_->Add(count); }
  std::size_t Forget(std::size_t count) { return semaphore_->Forget(count); }
  void Close() { semaphore_->Close(); }

 private:
  std::shared_ptr<Semaphore> semaphore_ = std::make_shared<Semaphore>(SemaphoreSpec::kPermits);
};

TEST(LockHistoryTest, OwnedSemaphore) {
  EXPECT_TRUE(AgreesUnderEverySeed<SemaphoreSpec>([](SemaphoreSpec&) { return OwnedSemaphore(); },
                                                  UseSemaphore<OwnedSemaphore>));
}

// Who gives up while it waits is granted its permits all the same.
class LeakySemaphore {
 public:
  auto Acquire(std::size_t count) { return given_up_.Keep(semaphore_.Acquire(count)); }
  auto TryAcquire(std::size_t count) { return semaphore_.TryAcquire(count); }
  void Add(std::size_t count) { semaphore_.Add(count); }
  std::size_t Forget(std::size_t count) { return semaphore_.Forget(count); }
  void Close() { semaphore_.Close(); }

 private:
  Semaphore semaphore_{SemaphoreSpec::kPermits};
  GivenUp given_up_;
};

TEST(LockHistoryMutationTest, PermitsThatAreLostAreFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<SemaphoreSpec>([](SemaphoreSpec&) { return LeakySemaphore(); },
                                                    UseSemaphore<LeakySemaphore>));
}

// -- RwLock ---------------------------------------------------------------------------------

enum class RwLockKind {
  kRead,
  kWrite,
  kUpgradable,
  kUpgrade,
  kTryRead,
  kTryWrite,
  kTryUpgradable,
  kUnlock,        // gives up what the argument says
  kDowngrade,     // the same for the right to read
  kToUpgradable,  // gives up the right to write for an upgradable one to read
};

struct RwLockSpec : NumberSpec<RwLockSpec, RwLockKind> {
  enum Right { kReading, kWriting, kUpgradable, kUpgrading, kWritingFirst };

  struct Stock : Compared<Stock> {
    bool Take(int right) {
      switch (right) {
        case kReading:
          if (writer) return false;
          ++readers;
          return true;
        case kUpgradable:
          if (writer || upgradable) return false;
          upgradable = true;
          return true;
        case kUpgrading:
          if (readers != 0) return false;
          upgradable = false;
          writer = true;
          return true;
        default:
          if (writer || upgradable || readers != 0) return false;
          writer = true;
          return true;
      }
    }
    void GiveBack(int right) {
      if (right == kReading) {
        --readers;
      } else if (right == kUpgradable) {
        upgradable = false;
      } else {
        writer = false;
        upgradable = right == kUpgrading;
      }
    }
    static bool Precedes(int right, int other) {
      return right == kUpgrading ||
             (right == kWritingFirst && (other == kReading || other == kUpgradable));
    }
    auto State() const { return std::tie(readers, writer, upgradable); }
    int readers = 0;
    bool writer = false;
    bool upgradable = false;
  };

  static int Acts(const Op& op) { return AsksFirst(op) ? Line<Stock>::ActsOfWaiting(op) : 1; }
  static bool AsksFirst(const Op& op) { return op.call.kind <= Kind::kUpgrade; }
  bool Act(std::size_t id, const Op& op, int n) {
    switch (op.call.kind) {
      case Kind::kRead:
        return line.ActOfWaiting(id, op, kReading, n);
      case Kind::kWrite:
        return line.ActOfWaiting(id, op, write, n);
      case Kind::kUpgradable:
        return line.ActOfWaiting(id, op, kUpgradable, n);
      case Kind::kUpgrade:
        if (!line.ActOfWaiting(id, op, kUpgrading, n)) return false;
        // One that gives up keeps nothing.
        if (n == 1 && op.end == End::kCancelled) GiveBack(kUpgradable);
        return true;
      case Kind::kTryRead:
        return op.result == (line.Try(kReading) ? 1 : 0);
      case Kind::kTryWrite:
        return op.result == (line.Try(kWriting) ? 1 : 0);
      case Kind::kTryUpgradable:
        return op.result == (line.Try(kUpgradable) ? 1 : 0);
      case Kind::kUnlock:
        GiveBack(op.call.argument);
        return true;
      case Kind::kDowngrade:
        ++line.stock.readers;
        GiveBack(op.call.argument);
        return true;
      case Kind::kToUpgradable:
        GiveBack(kUpgrading);
        return true;
    }
    return false;
  }
  bool MayWait(std::size_t id, const Op&) const { return line.MayWait(id); }

  static constexpr const char* kNames[] = {"read",     "write",     "upgradable read",
                                           "upgrade",  //
                                           "try read", "try write", "try upgradable read",
                                           "unlock",   "downgrade", "downgrade to upgradable"};
  auto State() const { return std::tie(write, line); }

  void GiveBack(int right) {
    line.stock.GiveBack(right);
    line.Serve();
  }

  int write = kWriting;
  Line<Stock> line;
};

using Lock = RwLock<int>;

template <typename Guard>
concept Downgradable = requires(Guard guard) { std::move(guard).Downgrade(); };
template <typename Guard>
concept Upgradable = requires(Guard guard) { std::move(guard).Upgrade(); };

template <typename Guard>
Async<void> HoldRw(History<RwLockSpec>* history, Guard guard, RwLockSpec::Right right) {
  using Kind = RwLockSpec::Kind;
  Held<RwLockSpec, Guard> held(history, std::move(guard),
                               {.kind = Kind::kUnlock, .argument = right});
  co_await Turns(Draw(3));
  if constexpr (Downgradable<Guard>) {
    const int then = Draw(3);
    if (then == 0) {
      std::optional<decltype(held.Take().Downgrade())> reading;
      RecordNow(history, {.kind = Kind::kDowngrade, .argument = right}, [&] {
        reading = held.Take().Downgrade();
        return 0;
      });
      co_await HoldRw(history, *std::move(reading), RwLockSpec::kReading);
    } else if (then == 1) {
      if constexpr (Upgradable<Guard>) {
        auto writing = co_await Record(history, {.kind = Kind::kUpgrade}, held.Take().Upgrade(),
                                       [](const auto&) { return 0; });
        if (writing) co_await HoldRw(history, *std::move(writing), RwLockSpec::kWriting);
      } else {
        std::optional<decltype(held.Take().DowngradeToUpgradable())> looking;
        RecordNow(history, {.kind = Kind::kToUpgradable}, [&] {
          looking = held.Take().DowngradeToUpgradable();
          return 0;
        });
        co_await HoldRw(history, *std::move(looking), RwLockSpec::kUpgradable);
      }
    }
  }
}

template <typename F>
Async<void> WaitAndHold(History<RwLockSpec>* history, RwLockSpec::Kind kind, F future,
                        RwLockSpec::Right right) {
  auto guard =
      co_await Record(history, {.kind = kind}, std::move(future), [](const auto&) { return 0; });
  if (guard) co_await HoldRw(history, *std::move(guard), right);
}
template <typename Try>
Async<void> TryAndHold(History<RwLockSpec>* history, RwLockSpec::Kind kind, Try attempt,
                       RwLockSpec::Right right) {
  decltype(attempt()) guard;
  RecordNow(history, {.kind = kind}, [&] {
    guard = attempt();
    return guard ? 1 : 0;
  });
  if (guard) co_await HoldRw(history, *std::move(guard), right);
}

template <typename LockType>
Async<void> UseRwLock(History<RwLockSpec>* history, LockType* lock, int) {
  using Kind = RwLockSpec::Kind;
  const auto try_read = [lock] { return lock->TryRead(); };
  const auto try_write = [lock] { return lock->TryWrite(); };
  const auto try_upgradable = [lock] { return lock->TryUpgradableRead(); };
  for (int round = 0; round < kRounds; ++round) {
    switch (Draw(8)) {
      case 0:
        co_await TryAndHold(history, Kind::kTryRead, try_read, RwLockSpec::kReading);
        break;
      case 1:
        co_await TryAndHold(history, Kind::kTryWrite, try_write, RwLockSpec::kWriting);
        break;
      case 2:
        co_await TryAndHold(history, Kind::kTryUpgradable, try_upgradable, RwLockSpec::kUpgradable);
        break;
      case 3:
        co_await WaitAndHold(history, Kind::kUpgradable, lock->UpgradableRead(),
                             RwLockSpec::kUpgradable);
        break;
      case 4:
      case 5:
        co_await WaitAndHold(history, Kind::kWrite, lock->Write(), RwLockSpec::kWriting);
        break;
      default:
        co_await WaitAndHold(history, Kind::kRead, lock->Read(), RwLockSpec::kReading);
    }
    co_await Turns(Draw(2));
  }
}

// The same by its owned forms.
class OwnedLock {
 public:
  explicit OwnedLock(RwLockMode mode) : lock_(std::make_shared<Lock>(mode)) {}

  auto Read() { return Lock::ReadOwned(lock_); }
  auto Write() { return Lock::WriteOwned(lock_); }
  auto UpgradableRead() { return Lock::UpgradableReadOwned(lock_); }
  auto TryRead() { return Lock::TryReadOwned(lock_); }
  auto TryWrite() { return Lock::TryWriteOwned(lock_); }
  auto TryUpgradableRead() { return Lock::TryUpgradableReadOwned(lock_); }

 private:
  std::shared_ptr<Lock> lock_;
};

template <typename LockType>
constexpr auto kMakeRwLock = [](RwLockSpec& spec) {
  const bool writers_first = Draw(2) == 0;
  if (writers_first) spec.write = RwLockSpec::kWritingFirst;
  return LockType(writers_first ? RwLockMode::kPreferWriters : RwLockMode::kFair);
};

TEST(LockHistoryTest, RwLock) {
  EXPECT_TRUE(AgreesUnderEverySeed<RwLockSpec>(kMakeRwLock<Lock>, UseRwLock<Lock>));
}
TEST(LockHistoryTest, OwnedRwLock) {
  EXPECT_TRUE(AgreesUnderEverySeed<RwLockSpec>(kMakeRwLock<OwnedLock>, UseRwLock<OwnedLock>));
}

// Whom it puts first is not whom it should.
TEST(LockHistoryMutationTest, ALockThatPrefersWritersAndShouldNotIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<RwLockSpec>(
      [](RwLockSpec&) { return Lock(RwLockMode::kPreferWriters); }, UseRwLock<Lock>));
}
TEST(LockHistoryMutationTest, ALockThatDoesNotPreferWritersAndShouldIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<RwLockSpec>(
      [](RwLockSpec& spec) {
        spec.write = RwLockSpec::kWritingFirst;
        return Lock(RwLockMode::kFair);
      },
      UseRwLock<Lock>));
}

// Who gives up while it waits gets the lock all the same.
class LeakyRwLock {
 public:
  auto Read() { return given_up_.Keep(lock_.Read()); }
  auto Write() { return given_up_.Keep(lock_.Write()); }
  auto UpgradableRead() { return given_up_.Keep(lock_.UpgradableRead()); }
  auto TryRead() { return lock_.TryRead(); }
  auto TryWrite() { return lock_.TryWrite(); }
  auto TryUpgradableRead() { return lock_.TryUpgradableRead(); }

 private:
  Lock lock_;
  GivenUp given_up_;
};

TEST(LockHistoryMutationTest, ARightThatIsLostIsFound) {
  EXPECT_TRUE(DisagreesUnderSomeSeed<RwLockSpec>([](RwLockSpec&) { return LeakyRwLock(); },
                                                 UseRwLock<LeakyRwLock>));
}

}  // namespace
}  // namespace home::sync_testing
