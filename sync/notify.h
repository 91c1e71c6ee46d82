// Notify: tells a task that something has happened, without a value.
//
//   Notify work;
//   queue.Push(item);
//   work.NotifyOne();                       // wakes one; kept for the next if nobody waits
//
//   while (true) {
//     while (auto item = queue.Pop()) Run(*item);
//     co_await work.Wait();
//   }
//
// A notification that finds nobody is kept: the next Wait() is ready at once. At most one is
// kept, so who was woken looks at everything that it waits for. NotifyAll() wakes those who wait
// at that moment, that is whose future was polled, and is not kept. NotifyLast() is NotifyOne() for
// the one that came last: of tasks that all do the same it is the one whose data is in the caches
// still. Who came first may then wait for ever.
//
// AutoResetEvent is the same under the names of an event: Set() lets exactly one wait through.
//
// Fairness: who waits longest is notified first, but by NotifyLast().
// Thread-safety: all functions from any thread. A future belongs to one thread at a time and must
// not outlive its Notify.
// Memory ordering: what precedes a notification happens before what follows the wait that it ends.
// Cost: a notification is one RMW if nobody waits, or three if somebody did until the last one; a
// wait that finds one is one RMW. Waiting allocates nothing. 32 bytes.
// Algorithm: grant_queue.h.

#ifndef HOME_SYNC_NOTIFY_H_
#define HOME_SYNC_NOTIFY_H_

#include <cstdint>
#include <optional>
#include <source_location>

#include "home/future/lock_watch.h"
#include "home/sync/grant_queue.h"
#include "home/sync/grant_wait.h"

namespace home {
namespace sync_internal {

// The word: whether a notification is kept.
struct NotificationKind {
  static constexpr const char* kName = "Notify::Wait";
  static constexpr std::uint64_t kKept = 4;

  static std::optional<std::uint64_t> Take(std::uint64_t word, std::uint64_t) {
    if (word == 0) return std::nullopt;
    return 0;
  }
  static bool IsUrgent(std::uint64_t, std::uint64_t) { return false; }
  template <typename Policy>
  static void GiveBack(GrantQueue<NotificationKind, Policy>& queue, std::uint64_t) {
    queue.Set(kKept);
  }
};
static_assert(NotificationKind::kKept == GrantQueue<NotificationKind>::kOne);

}  // namespace sync_internal

class Notify {
 public:
  // What Wait() returns. Movable before its first poll.
  using WaitFuture = sync_internal::GrantFuture<sync_internal::NotificationKind>;

  Notify() = default;
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  // Wakes the one that waits longest, or keeps the notification.
  void NotifyOne() { queue_.Set(sync_internal::NotificationKind::kKept); }
  // Wakes the one that came last, or keeps the notification.
  void NotifyLast() { queue_.Set(sync_internal::NotificationKind::kKept, Queue::Whom::kLast); }
  // Wakes all who wait now.
  void NotifyAll() { queue_.ReleaseAll(); }

  // Ready once notified.
  // Cancellation: dropping the future loses the place in the queue; a notification that it got
  // from NotifyOne() or NotifyLast() goes on to the one that waits longest, or is kept.
  [[nodiscard]] WaitFuture Wait(
      const internal::LockPlace& place = std::source_location::current()) {
    return WaitFuture(queue_, 0, "notify", place);
  }
  // Uses up the notification that is kept, if there is one: true.
  bool TryWait() { return queue_.TryTake(0); }

 private:
  using Queue = sync_internal::GrantQueue<sync_internal::NotificationKind>;

  Queue queue_{0};
};

// An event that one wait resets.
class AutoResetEvent {
 public:
  using WaitFuture = Notify::WaitFuture;

  // Lets one wait through: the longest, or the next to come.
  void Set() { notify_.NotifyOne(); }
  // Unset. Has no effect on waits that it let through.
  void Reset() { notify_.TryWait(); }
  // Cancellation: as Notify::Wait().
  [[nodiscard]] WaitFuture Wait(
      const internal::LockPlace& place = std::source_location::current()) {
    return notify_.Wait(place);
  }

 private:
  Notify notify_;
};

}  // namespace home

#endif  // HOME_SYNC_NOTIFY_H_
