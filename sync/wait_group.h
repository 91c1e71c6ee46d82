// WaitGroup: wait until all who have joined are gone.
//
//   WaitGroup requests;
//   auto member = requests.Join();          // counts while it lives
//   Spawn([member = std::move(member)]() -> Async<> { ... });
//   co_await requests.Wait();
//
// Members may come and go again and again. What Go's WaitGroup counts by hand is counted by
// objects here, so that a task that is cancelled is counted off as well.
//
// Thread-safety: all functions from any thread. A future or member belongs to one thread at a time
// and must not outlive the group. Memory ordering: what precedes the end of a member happens before
// what follows a wait that it ends. Cost: counting is one RMW, and so is a wait that is over.
// Waiting allocates nothing. 32 bytes.

#ifndef HOME_SYNC_WAIT_GROUP_H_
#define HOME_SYNC_WAIT_GROUP_H_

#include <cstddef>
#include <source_location>
#include <utility>

#include "home/future/lock_watch.h"
#include "home/sync/countdown.h"
#include "home/sync/grant_wait.h"

namespace home {

class WaitGroup {
 public:
  class Member;
  // What Wait() returns. Movable before its first poll.
  using WaitFuture = sync_internal::GrantFuture<sync_internal::ZeroKind>;

  WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  // One that is waited for until it is destroyed.
  [[nodiscard]] Member Join(const internal::LockPlace& place = std::source_location::current());
  // How many there are.
  [[nodiscard]] std::size_t size() const { return count_.count(); }
  // Ready at a moment in which there is none.
  // Cancellation: dropping the future loses nothing.
  [[nodiscard]] WaitFuture Wait(
      const internal::LockPlace& place = std::source_location::current()) {
    return count_.Wait(internal::kGroupKind, place);
  }

 private:
  sync_internal::Countdown count_{0};
};

class [[nodiscard]] WaitGroup::Member {
 public:
  explicit Member(WaitGroup& group,
                  const internal::LockPlace& place = std::source_location::current())
      : Member(group, Mark(internal::kGroupKind, &group, place)) {
    mark_.Hold();
  }
  // A further one.
  Member(const Member& other) : Member(*other.group_, other.mark_.Another()) {}
  Member(Member&& other) noexcept
      : group_(std::exchange(other.group_, nullptr)), mark_(std::move(other.mark_)) {}
  Member& operator=(Member other) noexcept {
    std::swap(group_, other.group_);
    std::swap(mark_, other.mark_);
    return *this;
  }
  ~Member() {
    if (group_ == nullptr) return;
    mark_.Release();
    group_->count_.Subtract(1);
  }

 private:
  using Mark = internal::LockMark<Member>;

  Member(WaitGroup& group, Mark mark) : group_(&group), mark_(std::move(mark)) {
    group_->count_.Add(1);
  }

  WaitGroup* group_;
  [[no_unique_address]] Mark mark_;
};

inline WaitGroup::Member WaitGroup::Join(const internal::LockPlace& place) {
  return Member(*this, place);
}

}  // namespace home

#endif  // HOME_SYNC_WAIT_GROUP_H_
