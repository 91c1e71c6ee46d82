// ModelTask: a task under the model checker. It has the production state word; its future,
// and what frees it, are plain data that the checker watches.

#ifndef HOME_SCHEDULER_MODEL_TASK_TESTING_H_
#define HOME_SCHEDULER_MODEL_TASK_TESTING_H_

#include "home/queue/lock_free_mpsc_queue.h"
#include "home/queue/queue_policy.h"
#include "home/queue/queue_test_scenario.h"
#include "home/task/task_state.h"
#include "home/tools/model/atomic.h"

namespace home::scheduler_internal {

struct ModelTask : BasicLockFreeMpscNode<queue_testing::Modelled<QueuePolicy>> {
  // A task that was just spawned, is in a queue, and has no JoinHandle.
  ModelTask() {
    bool had_waker = false;
    static_cast<void>(state.DropJoinHandle(had_waker));
  }

  // A turn as whoever took it from a queue has it. The task waits for its next wake then.
  void Poll() {
    static_cast<void>(state.TransitionToRunning());
    polls = polls + 1;
    static_cast<void>(state.TransitionToIdle());
  }
  // Makes it one that has been polled, is in a list, and has a waker.
  void Suspend() {
    state.AddReference();
    Poll();
    listed = true;
  }
  // The waker's Wake(). True: the caller puts it into a queue.
  [[nodiscard]] bool Wake() {
    switch (state.NotifyByValue()) {
      case NotifyResult::kDone:
        return false;
      case NotifyResult::kDestroy:
        Free();
        return false;
      case NotifyResult::kSubmit:
        return true;
    }
    return false;
  }
  // As a shutdown does it with a task that it took from a queue.
  void CancelQueued() {
    static_cast<void>(state.Abort());
    model::Expect(state.TransitionToRunning() == StartResult::kCancel, "it is cancelled");
    End();
  }
  // The same with one that is in a list. False: it is in a queue, or on its way there.
  bool CancelListed() {
    if (!state.TransitionToShutdown()) return false;
    End();
    return true;
  }

  void ExpectEnded() const {
    model::Expect(cancelled == 1, "cancelled once");
    model::Expect(freed == 1, "freed once");
  }

  BasicTaskState<model::Atomic> state;
  model::Data<int> polls{0};
  model::Data<int> cancelled{0};
  model::Data<int> freed{0};
  // Whoever shuts down: the task is in a list.
  bool listed = false;

 private:
  void End() {
    listed = false;
    cancelled = cancelled + 1;
    static_cast<void>(state.TransitionToComplete());
    if (state.Release()) Free();
  }
  void Free() {
    // Whoever frees comes after all others.
    polls = -1;
    freed = freed + 1;
  }
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_MODEL_TASK_TESTING_H_
