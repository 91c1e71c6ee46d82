// TaskState under the model checker: what the threads around one task do to its
// word at the same time, and that the orders are needed.

#include <atomic>

#include "gtest/gtest.h"
#include "home/task/task_state.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home {
namespace {

using model::Access;
using model::CheckExhaustively;
using model::CheckRandomly;
using model::Exhaustively;
using model::ExpectFound;

// A task as a runtime has it: plain data where the state word has to order.
struct Task {
  // One turn of whoever took the task from a queue, and the turns that follow
  // from wake-ups during the poll. It is ready once it was woken.
  void Run() {
    while (true) {
      if (state.TransitionToRunning() == StartResult::kCancel) {
        future = future + 1;
        return Complete();
      }
      future = future + 1;
      // relaxed: the state word orders it, or the poll sleeps for ever.
      if (message.load(std::memory_order_relaxed) == 1) return Complete();
      if (state.TransitionToIdle() == IdleResult::kIdle) return;
    }
  }
  void Complete() {
    outcome = 1;
    // Not tried for a task that is in a list.
    if (model::Choose(2) == 0 && state.CompleteForHandle()) return;
    const TaskSnapshot before = state.TransitionToComplete();
    if (!before.join_interest()) DropOutcome();
    if (before.join_waker()) TakeWaker();
    Release();
  }
  void Wake() {
    message.store(1, std::memory_order_relaxed);  // relaxed: as above
    if (state.NotifyByRef() == NotifyResult::kSubmit) Run();
  }
  void WakeByValue() {
    message.store(1, std::memory_order_relaxed);  // relaxed: as above
    switch (state.NotifyByValue()) {
      case NotifyResult::kSubmit:
        return Run();
      case NotifyResult::kDestroy:
        return Free();
      case NotifyResult::kDone:
        return;
    }
  }
  void Abort() {
    if (state.Abort() == NotifyResult::kSubmit) Run();
  }
  // As JoinHandle::Poll: true once the outcome is the handle's.
  bool PollHandle() {
    if (state.Load().complete()) return true;
    waker = 1;
    if (state.SetJoinWaker() == JoinWakerResult::kDone) return false;
    TakeWaker();
    return true;
  }
  // As JoinHandle::Detach.
  void DropHandle() {
    bool had_waker = false;
    if (state.DropJoinHandle(had_waker) == JoinWakerResult::kComplete) {
      DropOutcome();
      Release();
    } else if (had_waker) {
      TakeWaker();
      Release();
    }
  }
  void DropOutcome() {
    model::Expect(outcome == 1, "an outcome is dropped once, when it is there");
    outcome = 2;
  }
  void TakeWaker() {
    model::Expect(waker == 1, "a waker is taken once, when it is there");
    waker = 2;
  }
  void Release() {
    if (state.Release()) Free();
  }
  void Free() {
    model::Expect(freed == 0, "freed once");
    // Whoever frees comes after all others.
    future = -1;
    outcome = -1;
    waker = -1;
    freed = 1;
  }

  BasicTaskState<model::Atomic> state;
  model::Atomic<int> message{0};
  model::Data<int> future{0};
  model::Data<int> outcome{0};
  model::Data<int> waker{0};
  model::Data<int> freed{0};
};

struct WakeAgainstRun {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      task.Run();
    } else {
      task.Wake();
    }
  }
  void After() {
    model::Expect(task.state.Load().complete(), "no wake is lost");
    task.DropHandle();
    model::Expect(task.freed == 1, "freed");
  }
  Task task;
};

TEST(TaskStateModelTest, AWakeIsNotLost) { CheckExhaustively<WakeAgainstRun>(); }

TEST(TaskStateModelTest, AWakeIsARelease) {
  ExpectFound<WakeAgainstRun>(Exhaustively(), {.function = "Notify",
                                               .access = Access::kRmw,
                                               .from = std::memory_order_acq_rel,
                                               .to = std::memory_order_acquire});
}
TEST(TaskStateModelTest, RunningAcquires) {
  ExpectFound<WakeAgainstRun>(Exhaustively(), {.function = "TransitionToRunning",
                                               .access = Access::kRmw,
                                               .from = std::memory_order_acquire});
}
TEST(TaskStateModelTest, IdleReleases) {
  ExpectFound<WakeAgainstRun>(
      Exhaustively(),
      {.function = "TransitionToIdle", .access = Access::kRmw, .from = std::memory_order_release});
}

struct JoinAgainstRun {
  static constexpr int kThreads = 2;
  void Before() { task.message.store(1, std::memory_order_relaxed); }
  void Thread(int index) {
    if (index == 0) {
      task.Run();
    } else if (task.PollHandle()) {
      task.DropOutcome();
      task.Release();
    } else {
      task.DropHandle();
    }
  }
  void After() { model::Expect(task.freed == 1, "freed"); }
  Task task;
};

TEST(TaskStateModelTest, TheHandleIsPolledAndDroppedDuringTheRun) {
  CheckExhaustively<JoinAgainstRun>();
}
TEST(TaskStateModelTest, CompletionPublishesTheOutcome) {
  ExpectFound<JoinAgainstRun>(Exhaustively(), {.function = "TransitionToComplete",
                                               .access = Access::kRmw,
                                               .from = std::memory_order_acq_rel,
                                               .to = std::memory_order_acquire});
}
TEST(TaskStateModelTest, CompletionForTheHandlePublishesTheOutcome) {
  ExpectFound<JoinAgainstRun>(
      Exhaustively(),
      {.function = "CompleteForHandle", .access = Access::kRmw, .from = std::memory_order_release});
}
TEST(TaskStateModelTest, CompletionSeesTheWaker) {
  ExpectFound<JoinAgainstRun>(Exhaustively(), {.function = "SetJoinWaker",
                                               .access = Access::kRmw,
                                               .from = std::memory_order_acq_rel,
                                               .to = std::memory_order_acquire});
}

struct AbortAgainstRun {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 0) {
      task.Run();
    } else {
      task.Abort();
    }
  }
  void After() {
    model::Expect(task.state.Load().complete(), "no abort is lost");
    task.DropHandle();
    model::Expect(task.freed == 1, "freed");
  }
  Task task;
};

TEST(TaskStateModelTest, AnAbortIsNotLost) { CheckExhaustively<AbortAgainstRun>(); }

// All at once.
struct Everybody {
  static constexpr int kThreads = 4;
  void Before() {
    task.state.AddReference();
    task.state.AddReference();
  }
  void Thread(int index) {
    switch (index) {
      case 0:
        return task.Run();
      case 1:
        return task.WakeByValue();
      case 2:
        task.Abort();
        return task.Release();
      default:
        if (!task.PollHandle()) return task.DropHandle();
        task.DropOutcome();
        task.Release();
    }
  }
  void After() { model::Expect(task.freed == 1, "freed, and so complete"); }
  Task task;
};

TEST(TaskStateModelTest, EverybodyAtOnce) { CheckRandomly<Everybody>(30'000); }

}  // namespace
}  // namespace home
