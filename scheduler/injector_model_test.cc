// Injector under the model checker, as a runtime that shuts down has it: tasks are spawned
// from outside and woken while one thread cancels all that there are and closes it. The
// drain does what Scheduler::Drain() does.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "home/queue/queue_test_scenario.h"
#include "home/queue/segment_queue.h"
#include "home/scheduler/injector.h"
#include "home/scheduler/model_task_testing.h"
#include "home/tools/model/atomic.h"
#include "home/tools/model/checker.h"

namespace home::scheduler_internal {
namespace {

using model::Access;
using model::CheckRandomly;
using model::CheckWithPreemptions;
using model::ExpectFound;
using model::Randomly;
using model::Weakening;
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

struct Model : queue_testing::Modelled<SegmentQueuePolicy> {
  using Task = ModelTask;
  using Ticket = std::uint8_t;
  static constexpr Ticket kFirstTicket = 255;
  static constexpr std::size_t BlockCells(std::size_t) { return 2; }
  static constexpr std::size_t kSpareBlocks = 0;
};

// Of kTasks tasks the last kListed wait in a worker's list, with a waker each.
template <std::size_t kTasks, std::size_t kListed>
struct Shutdown {
  using Injector = BasicInjector<Model>;

  Shutdown() {
    for (std::size_t i = kTasks - kListed; i < kTasks; ++i) {
      tasks[i].Suspend();
      used[i] = 0;
    }
  }

  // Scheduler::Submit() and Inject().
  void Spawn(std::size_t task) {
    bool pushed = false;
    {
      Injector::Visit visit(*injector);
      pushed = visit.Push(&tasks[task]);
    }
    if (!pushed) tasks[task].CancelQueued();
  }
  void Wake(std::size_t task) {
    if (!tasks[task].Wake()) return;
    Injector::Visit visit(*injector);
    model::Expect(visit.Push(&tasks[task]), "not closed while a task is alive");
    // As NotifyOne().
    used[task] = used[task] + 1;
  }
  void Drain() {
    injector->Close([this] {
      Injector::Pass pass{.progress = false, .all_done = true};
      injector->PopBatch(SIZE_MAX, /*sharers=*/1, [&pass](ModelTask* task) {
        pass.progress = true;
        task->CancelQueued();
      });
      for (ModelTask& task : tasks) {
        if (!task.listed) continue;
        if (task.CancelListed()) {
          pass.progress = true;
        } else {
          pass.all_done = false;
        }
      }
      return pass;
    });
  }
  void After() {
    for (const ModelTask& task : tasks) task.ExpectEnded();
    model::Expect(injector == nullptr || injector->empty(), "nothing is left inside");
  }

  std::array<ModelTask, kTasks> tasks;
  // What else there is of the scheduler, for each task's waker.
  std::array<model::Data<int>, kTasks> used{};
  std::unique_ptr<Injector> injector = std::make_unique<Injector>();
};

// A spawn. Its thread has a handle, which keeps the runtime.
struct OneSpawn : Shutdown<1, 0> {
  static constexpr int kThreads = 2;
  void Thread(int index) { index == 0 ? Drain() : Spawn(0); }
};

TEST(InjectorModelTest, ASpawnIsCancelledOrRefused) { CheckWithPreemptions<OneSpawn>(3); }
TEST(InjectorModelTest, ClosingIsSeqCst) {
  ExpectFound<OneSpawn>(
      Randomly(100'000),
      {.function = "CloseIfEmpty", .access = Access::kStore, .from = memory_order_seq_cst});
}
TEST(InjectorModelTest, LookingForVisitsIsSeqCst) {
  ExpectFound<OneSpawn>(
      Randomly(100'000),
      {.function = "AwaitVisitors", .access = Access::kLoad, .from = memory_order_seq_cst});
}
TEST(InjectorModelTest, EnteringIsSeqCst) {
  ExpectFound<OneSpawn>(
      Randomly(100'000),
      {.function = "Visit", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(InjectorModelTest, LookingWhetherItIsClosedIsSeqCst) {
  ExpectFound<OneSpawn>(
      Randomly(100'000),
      {.function = "Push", .access = Access::kLoad, .type = "bool", .from = memory_order_seq_cst});
}

// A wake. When the task has ended nobody keeps the runtime any more.
struct OneWake : Shutdown<1, 1> {
  static constexpr int kThreads = 2;
  void Thread(int index) {
    if (index == 1) return Wake(0);
    Drain();
    injector.reset();
    used[0] = -1;
  }
};

TEST(InjectorModelTest, AWakeIsWaitedFor) { CheckWithPreemptions<OneWake>(2); }
TEST(InjectorModelTest, LeavingReleases) {
  ExpectFound<OneWake>(
      Randomly(100'000),
      {.function = "~Visit", .access = Access::kRmw, .from = memory_order_release});
}
TEST(InjectorModelTest, AwaitingVisitsAcquires) {
  ExpectFound<OneWake>(
      Randomly(100'000),
      {.function = "AwaitVisitors", .access = Access::kLoad, .from = memory_order_acquire});
}

// Both, and more of them.
struct SpawnsAndWakes : Shutdown<4, 2> {
  static constexpr int kThreads = 4;
  void Thread(int index) {
    if (index == 0) return Drain();
    if (index > 1) return Wake(static_cast<std::size_t>(index));
    Spawn(0);
    Spawn(1);
  }
};

TEST(InjectorModelTest, SpawnsAndWakes) { CheckRandomly<SpawnsAndWakes>(50'000); }

}  // namespace
}  // namespace home::scheduler_internal
