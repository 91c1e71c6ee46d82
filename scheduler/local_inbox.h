// LocalInbox: where a task that is pinned to a thread goes when another thread wakes it.
//
//  B1  Who finds the inbox empty wakes the owner, after the push; others find a task there,
//      for which somebody does. The owner takes all there is before it sleeps, and the wake
//      of one that comes later ends that sleep, or prevents it.
//  B2  A visit begins before the push. So an owner that has taken the task knows of it, and
//      once all tasks have ended AwaitVisitors() has only those to wait for.
//
// It is a template so that the model checker runs it (local_inbox_model_test.cc).
//
// Thread-safety: Push by any thread, the rest is the owner's. Cost: Push three RMWs.

#ifndef HOME_SCHEDULER_LOCAL_INBOX_H_
#define HOME_SCHEDULER_LOCAL_INBOX_H_

#include <atomic>
#include <cstddef>

#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/queue_policy.h"
#include "home/task/chaos.h"

namespace home::scheduler_internal {

template <typename Task, typename Policy = QueuePolicy,
          template <typename> class Atomic = internal::Atomic>
class LocalInbox {
 public:
  LocalInbox() = default;
  LocalInbox(const LocalInbox&) = delete;
  LocalInbox& operator=(const LocalInbox&) = delete;

  // Any thread: appends `task`. `wake()` ends the owner's sleep, or its next one; until it
  // has returned the owner waits with its end.
  template <typename Wake>
  void Push(Task* task, const Wake& wake) {
    // relaxed: whoever takes the task out has acquired this (B2). pairs with:
    // AwaitVisitors().
    visitors_.fetch_add(1, std::memory_order_relaxed);
    if (queue_.Push(task)) wake();
    // release: our uses come before the end. pairs with: AwaitVisitors().
    visitors_.fetch_sub(1, std::memory_order_release);
  }

  // Takes the oldest task, or null.
  [[nodiscard]] Task* Pop() { return queue_.Pop(); }
  [[nodiscard]] bool empty() const { return queue_.Empty(); }

  // Once no task is alive, and so nobody begins a Push(): returns when all have ended.
  void AwaitVisitors() const {
    // acquire: what they did. pairs with: Push().
    for (int i = 0; visitors_.load(std::memory_order_acquire) != 0; ++i) Policy::Relax(i);
  }

 private:
  LockFreeMpscQueue<Task, Policy> queue_;
  // Threads inside of Push().
  Atomic<std::size_t> visitors_{0};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_LOCAL_INBOX_H_
