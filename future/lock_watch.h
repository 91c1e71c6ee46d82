// LockWatch: in debug builds, who holds the primitives of home/sync, and who waits for them.
//
//   for (const LockUse& use : LockUses()) ...     // for tools and metrics
//   std::fputs(LockReport().c_str(), stderr);     // for people
//
//   lock 1, a mutex, is held by task 7 "accept" (spawned at server.cc:31) at server.cc:58
//   lock 1, a mutex, is awaited by task 9 (spawned at server.cc:44) at pool.cc:12
//
// A lock is whatever in home/sync is waited for. What is not held, such as an Event, has those who
// wait only; a OnceCell, LazyCell or Once is held by whoever makes its value, a WaitGroup by its
// members. A simulation that is stuck shows the report, and PrometheusText() lists the uses.
//
// A guard of a Mutex or RwLock that is held across an await for longer than a threshold is
// reported: while it lasts, which a guard in a deadlock does for ever, by the watchdog of a
// multi-thread runtime, and when it ends; to standard error, unless ReportLongHolds() says
// otherwise. (A permit of a Semaphore or a member of a WaitGroup may be held for long, that is what
// they are for, and to make a cell's value may take long; and a guard that is held for long within
// one poll is a long poll, which the watchdog reports as such.)
//
// How: futures and guards carry a LockMark, which has an entry in one of a few lists while it
// waits or holds. An entry goes into its thread's list, so that threads that use one lock do not
// meet there, and what is done with the lists is hidden from ThreadSanitizer, so that it sees what
// it would see without. The locks know nothing of it, and are the same in all builds.
//
// Cost: none where NDEBUG is defined; LockUses() is empty then. Elsewhere an allocation and two
// uncontended mutexes for each use. All code of a program has to be compiled one way or the
// other.
// Thread-safety: all functions from any thread. What LockUses() tells of each use was so at some
// moment during the call, but not of all at the same.

#ifndef HOME_FUTURE_LOCK_WATCH_H_
#define HOME_FUTURE_LOCK_WATCH_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "home/future/polled_task.h"

namespace home {

// One who holds a lock, or waits for it.
struct LockUse {
  const char* kind = nullptr;  // "mutex", "rw lock (write)", "semaphore", "once cell", "event"...
  const void* lock = nullptr;  // its address; of what is made of another, the inner one's
  bool holds = false;          // or it waits
  PolledTask task;             // that took it, or waits
  std::source_location location;  // where it was asked for
  absl::Duration duration;        // for how long already
};

[[nodiscard]] std::vector<LockUse> LockUses();
// A line for each, up to 200. Locks are numbered; it says nothing of addresses and times, so that
// it is the same in each replay of a simulation. Empty if there are none.
[[nodiscard]] std::string LockReport();

// A guard that was held across an await for at least the threshold.
struct LongHold {
  LockUse use;              // use.holds: it still was when it was looked at
  std::size_t waiters = 0;  // how many wait for the lock, or did in the end
};
// From now on `report` is called for each: once while it is held, on the thread of the watchdog
// (RuntimeBuilder::LongPollThreshold()) that finds it, and on the thread that ends the guard, after
// the lock is free. It should not block: the watchdog would. Null: a line on standard error.
// Without this call the threshold is a second.
void ReportLongHolds(absl::Duration threshold, std::function<void(const LongHold&)> report);

namespace internal {

// For a thread that looks now and then: reports the long holds that last and were not reported.
// Whether there are guards for which the next look may have to.
bool ReportHoldsThatLast();

// The kinds of those whose long holds are nobody's mistake.
inline constexpr char kPermitKind[] = "semaphore";
inline constexpr char kCellKind[] = "once cell";
inline constexpr char kGroupKind[] = "wait group";

// The place of a call; see TaskLabel for how it comes to be the caller's.
class LockPlace {
 public:
#if defined(NDEBUG)
  LockPlace(const std::source_location&) noexcept {}  // NOLINT: implicit
#else
  LockPlace(const std::source_location& where) noexcept  // NOLINT: implicit
      : location(where) {}
  std::source_location location;
#endif
};

// In the place of a LockMark, where nothing is told.
template <typename Owner>
class NoLockMark {
 public:
  NoLockMark() = default;
  NoLockMark(const char*, const void*, const LockPlace&) noexcept {}
  template <typename Other>
  explicit NoLockMark(NoLockMark<Other>&&) noexcept {}

  void Wait() noexcept {}
  void Hold() noexcept {}
  void Become(const char*) noexcept {}
  void Release() noexcept {}
  [[nodiscard]] NoLockMark Another() const noexcept { return *this; }
};

// What a future or guard has of a lock. `Owner` makes the types of nested members differ, so
// that none needs an address of its own.
#if defined(NDEBUG)

template <typename Owner>
using LockMark = NoLockMark<Owner>;

#else

struct LockEntry;

// What is not a template. Movable at any time; the one moved from waits and holds no more.
class LockMarkBase {
 public:
  // Tells nothing: of a wait beside another.
  LockMarkBase() noexcept;
  LockMarkBase(const char* kind, const void* lock, const LockPlace& place) noexcept;
  LockMarkBase(LockMarkBase&& other) noexcept;
  LockMarkBase& operator=(LockMarkBase&& other) noexcept;
  ~LockMarkBase();

  // It waits for the lock, from the first call on.
  void Wait();
  // It holds the lock.
  void Hold();
  // It holds another right of it: `kind`.
  void Become(const char* kind);
  // The lock is about to be released. A long hold is reported by the destructor.
  void Release() noexcept;

 protected:
  // A further one that holds the lock, if this one does.
  [[nodiscard]] LockMarkBase Again() const;

 private:
  void Enter(bool holds);

  const char* kind_;
  const void* lock_;
  LockPlace place_;
  std::unique_ptr<LockEntry> entry_;
};

template <typename Owner>
class LockMark : public LockMarkBase {
 public:
  using LockMarkBase::LockMarkBase;
  template <typename Other>
  explicit LockMark(LockMark<Other>&& other) noexcept : LockMarkBase(std::move(other)) {}

  [[nodiscard]] LockMark Another() const { return LockMark(Again()); }

 private:
  explicit LockMark(LockMarkBase&& other) noexcept : LockMarkBase(std::move(other)) {}
};

#endif

}  // namespace internal
}  // namespace home

#endif  // HOME_FUTURE_LOCK_WATCH_H_
