// LocalInbox under the model checker: a thread runs the tasks that are pinned to it, sleeps
// when there is nothing to run, and cancels what is left, while others wake them. What it
// does around the inbox is LocalTasks' loop and Close().

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "gtest/gtest.h"
#include "home/parker/model_policy_testing.h"
#include "home/parker/parker.h"
#include "home/queue/queue_policy.h"
#include "home/queue/queue_test_scenario.h"
#include "home/scheduler/local_inbox.h"
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
using std::memory_order_acquire;
using std::memory_order_release;
using std::memory_order_seq_cst;

// The last thread owns kTasks tasks, which wait with a waker each; the others have these.
// After kPolls polls it ends. `kWakes`: without, a push does not wake it.
template <std::size_t kTasks, int kPolls, bool kWakes = true>
struct Pinned : ModelScenario {
  static constexpr int kThreads = static_cast<int>(kTasks) + 1;
  using Inbox = LocalInbox<ModelTask, queue_testing::Modelled<QueuePolicy>, model::Atomic>;

  Pinned() {
    for (ModelTask& task : tasks) task.Suspend();
  }

  void Thread(int index) {
    const auto task = static_cast<std::size_t>(index);
    if (task == kTasks) return Own();
    if (tasks[task].Wake()) inbox->Push(&tasks[task], [this, task] { Unpark(task); });
  }
  void Unpark(std::size_t task) {
    if (kWakes) parker->Unpark();
    used[task] = 1;
  }
  void Own() {
    for (int polls = 0; polls < kPolls;) {
      if (ModelTask* const task = inbox->Pop()) {
        task->Poll();
        ++polls;
      } else {
        parker->Park();
      }
    }
    Close();
    inbox.reset();
    parker.reset();
    for (model::Data<int>& of_waker : used) of_waker = -1;
  }
  void Close() {
    for (std::size_t alive = kTasks; alive > 0;) {
      const std::size_t before = alive;
      while (ModelTask* const task = inbox->Pop()) {
        task->CancelQueued();
        --alive;
      }
      for (ModelTask& task : tasks) {
        if (task.listed && task.CancelListed()) --alive;
      }
      if (alive == before) model::Yield();
    }
    inbox->AwaitVisitors();
  }
  void After() {
    for (const ModelTask& task : tasks) task.ExpectEnded();
  }

  std::array<ModelTask, kTasks> tasks;
  // What else wakers use and goes away with the owner.
  std::array<model::Data<int>, kTasks> used;
  std::unique_ptr<Inbox> inbox = std::make_unique<Inbox>();
  std::unique_ptr<BasicParker<ModelPolicy>> parker = std::make_unique<BasicParker<ModelPolicy>>();
};

// It sleeps, is woken, and ends.
using OneWake = Pinned<1, 1>;
// It ends at once.
using ClosedAtOnce = Pinned<1, 0>;

TEST(LocalInboxModelTest, AWakeIsNotLost) { CheckWithPreemptions<OneWake>(2); }
TEST(LocalInboxModelTest, ClosedAtOnce) { CheckWithPreemptions<ClosedAtOnce>(3); }
TEST(LocalInboxModelTest, TwoWakes) { CheckRandomly<Pinned<2, 2>>(50'000); }
TEST(LocalInboxModelTest, ClosedAfterOneOfTwo) { CheckRandomly<Pinned<2, 1>>(50'000); }

TEST(LocalInboxModelTest, WithoutTheWakeItIsLost) {
  ExpectFound<Pinned<1, 1, /*kWakes=*/false>>(Randomly(1'000));
}
TEST(LocalInboxModelTest, PushingReleases) {
  ExpectFound<ClosedAtOnce>(
      Randomly(100'000),
      {.function = "Push", .access = Access::kRmw, .from = memory_order_seq_cst});
}
TEST(LocalInboxModelTest, LeavingReleases) {
  ExpectFound<OneWake>(Randomly(100'000),
                       {.function = "Push", .access = Access::kRmw, .from = memory_order_release});
}
TEST(LocalInboxModelTest, AwaitingVisitorsAcquires) {
  ExpectFound<OneWake>(
      Randomly(100'000),
      {.function = "AwaitVisitors", .access = Access::kLoad, .from = memory_order_acquire});
}

}  // namespace
}  // namespace home::scheduler_internal
