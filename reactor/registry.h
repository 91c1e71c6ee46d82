// Registry: the descriptors that one reactor watches. Shared by the reactor and
// its registrations, so that either may die first.
//
// Thread-safety: all functions from any thread, except that Dispatch() and
// Shutdown() are for one thread at a time.

#ifndef HOME_REACTOR_REGISTRY_H_
#define HOME_REACTOR_REGISTRY_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/statusor.h"
#include "home/future/wake_list.h"
#include "home/reactor/poller.h"
#include "home/reactor/slab.h"

namespace home::reactor_internal {

class Registry {
 public:
  explicit Registry(std::unique_ptr<Poller> poller)
      : poller_(std::move(poller)), needs_rearm_(poller_->needs_rearm()) {}
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Poller& poller() { return *poller_; }

  // Gives `fd` a slot that starts with `initial` and has it watched.
  absl::StatusOr<Slot*> Add(int fd, Interest interest, ReadySet initial);
  // Ends it. A waker that waits is dropped.
  void Remove(Slot* slot, int fd);

  // The readiness of a direction was cleared: later changes are to be reported again.
  void Rearm(int fd, Direction direction) {
    if (needs_rearm_) poller_->Rearm(fd, direction);
  }

  // Applies an event and collects the wakers. False: it is a late one, of a
  // descriptor that was removed.
  bool Dispatch(const Poller::Event& event, WakeList& wakes);

  // The reactor dies: everything becomes ready with ReadySet::kShutdown.
  void Shutdown(WakeList& wakes);

 private:
  void Release(Slot* slot);

  const std::unique_ptr<Poller> poller_;
  const bool needs_rearm_;
  // Guards all below, except for slab_.Find(). (Not an absl::Mutex: when that is
  // contended, ThreadSanitizer reports races inside of it.)
  std::mutex mutex_;
  SlotSlab slab_;
  bool shut_down_ = false;
};

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_REGISTRY_H_
