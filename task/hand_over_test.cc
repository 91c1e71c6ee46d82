// Handing over from a task to the one that it awaits: who may, and what happens in between.
// How workers do it: scheduler/hand_over_stress_test.cc.

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/join.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/task/join_handle.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::ManualScheduler;

// A task that awaits another, and an executor that would run that one next.
class HandOverTest : public ::testing::Test {
 protected:
  ~HandOverTest() override { scheduler_.Shutdown(); }

  // Polls the task that was spawned last, while `child` would be next.
  RunResult PollWithNext(const TaskHeader* child) {
    running_ = scheduler_.Take();
    turn_ = NewTurn();
    turn_.next = child;
    return RunTask(running_, &turn_, scheduler_);
  }
  // Goes on with it.
  RunResult Resume() {
    turn_ = NewTurn();
    return Queue(ResumeTask(running_, &turn_, scheduler_));
  }
  RunResult Yield() { return Queue(YieldTask(running_, scheduler_)); }
  RunResult Run(TaskHeader* task) {
    Turn turn = NewTurn();
    return RunTask(task, &turn, scheduler_);
  }

  // Whether a task of what `make_parent` makes of a child's handle hands over to the child.
  template <typename MakeParent>
  bool HandsOver(MakeParent make_parent) {
    JoinHandle<int> child = scheduler_.Spawn(Ready(1));
    TaskHeader* next = scheduler_.Take();
    auto parent = scheduler_.Spawn(make_parent(std::move(child)));
    EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
    const bool hands_over = turn_.awaits_next;
    EXPECT_EQ(parent.status(), hands_over ? TaskStatus::kRunning : TaskStatus::kPending);
    EXPECT_EQ(Run(next), RunResult::kComplete);
    if (hands_over) {
      EXPECT_EQ(scheduler_.Take(), nullptr) << "nobody woke it";
      EXPECT_EQ(Resume(), RunResult::kComplete);
    } else {
      scheduler_.RunUntilIdle();
    }
    EXPECT_EQ(parent.status(), TaskStatus::kCompleted);
    return hands_over;
  }

  ManualScheduler scheduler_;
  Turn turn_;

 private:
  static Turn NewTurn() { return Turn{.budget = std::numeric_limits<std::uint32_t>::max()}; }

  RunResult Queue(RunResult result) {
    if (result == RunResult::kRescheduled) scheduler_.Schedule(running_);
    return result;
  }

  TaskHeader* running_ = nullptr;
};

Async<int> Await(JoinHandle<int> handle) {
  const absl::StatusOr<int> value = co_await handle;
  co_return value.value_or(-1);
}

Async<int> AwaitDeeper(JoinHandle<int> handle) { co_return co_await Await(std::move(handle)); }

Async<absl::Status> Attempt(JoinHandle<int> handle) {
  const int value = co_await Try(handle);
  EXPECT_EQ(value, 1);
  co_return absl::OkStatus();
}

TEST_F(HandOverTest, GoesToTheAwaitedTaskAndBack) {
  JoinHandle<int> child = scheduler_.Spawn(Ready(5));
  TaskHeader* next = scheduler_.Take();
  JoinHandle<int> parent = scheduler_.Spawn(Await(std::move(child)));

  EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
  EXPECT_TRUE(turn_.awaits_next);
  EXPECT_EQ(parent.status(), TaskStatus::kRunning);
  EXPECT_EQ(Run(next), RunResult::kComplete);
  EXPECT_EQ(scheduler_.Take(), nullptr);
  EXPECT_EQ(Resume(), RunResult::kComplete);
  EXPECT_FALSE(turn_.awaits_next);
  EXPECT_EQ(parent.status(), TaskStatus::kCompleted);
}

TEST_F(HandOverTest, OnlyToTheNextTask) {
  JoinHandle<int> child = scheduler_.Spawn(Ready(5));
  JoinHandle<int> other = scheduler_.Spawn(Ready(6));
  TaskHeader* awaited = scheduler_.Take();
  TaskHeader* next = scheduler_.Take();
  JoinHandle<int> parent = scheduler_.Spawn(Await(std::move(child)));
  EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
  EXPECT_FALSE(turn_.awaits_next);
  EXPECT_EQ(parent.status(), TaskStatus::kPending);
  EXPECT_EQ(Run(next), RunResult::kComplete);
  EXPECT_EQ(Run(awaited), RunResult::kComplete);
  EXPECT_TRUE(scheduler_.RunOne());
  EXPECT_EQ(parent.status(), TaskStatus::kCompleted);
}

TEST_F(HandOverTest, OfWhatWaitsAlone) {
  EXPECT_TRUE(HandsOver([](JoinHandle<int> child) { return Await(std::move(child)); }));
  EXPECT_TRUE(HandsOver([](JoinHandle<int> child) { return AwaitDeeper(std::move(child)); }));
  EXPECT_TRUE(HandsOver([](JoinHandle<int> child) { return Attempt(std::move(child)); }));
  EXPECT_TRUE(HandsOver([](JoinHandle<int> child) { return child; })) << "without a coroutine";
  // A callable that is kept beside its coroutine.
  EXPECT_TRUE(HandsOver([](JoinHandle<int> child) {
    return [child = std::move(child)]() mutable -> Async<> { static_cast<void>(co_await child); };
  }));
}

TEST_F(HandOverTest, NotOfWhatWaitsForMore) {
  EXPECT_FALSE(HandsOver([](JoinHandle<int> child) -> Async<> {
    auto both = Join(std::move(child), Ready(1));
    co_await both;
  }));
  // Its chain waits for one thing, but its task for two.
  EXPECT_FALSE(HandsOver([](JoinHandle<int> child) -> Async<> {
    auto first = Select(Await(std::move(child)), PendingForever<int>());
    co_await first;
  }));
}

// The task that it awaits has to wait itself: then it does what any other does.
TEST_F(HandOverTest, RegistersWithATaskThatWaits) {
  JoinHandle<int> child = scheduler_.Spawn(PendingForever<int>());
  TaskHeader* next = scheduler_.Take();
  JoinHandle<int> parent = scheduler_.Spawn(Await(std::move(child)));
  EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
  EXPECT_TRUE(turn_.awaits_next);
  EXPECT_EQ(Run(next), RunResult::kIdle);
  EXPECT_EQ(Resume(), RunResult::kIdle);
  EXPECT_FALSE(turn_.awaits_next);
  EXPECT_EQ(parent.status(), TaskStatus::kPending);

  AbortTask(next);
  EXPECT_TRUE(scheduler_.RunOne());  // it is cancelled
  EXPECT_TRUE(scheduler_.RunOne());  // and its parent told
  EXPECT_EQ(parent.status(), TaskStatus::kCompleted);
}

TEST_F(HandOverTest, AnAbortMeanwhileIsSeen) {
  JoinHandle<int> child = scheduler_.Spawn(Ready(5));
  TaskHeader* next = scheduler_.Take();
  JoinHandle<int> parent = scheduler_.Spawn(Await(std::move(child)));
  EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
  parent.Abort();
  EXPECT_EQ(scheduler_.Take(), nullptr) << "it runs";
  EXPECT_EQ(Run(next), RunResult::kComplete);
  EXPECT_EQ(Resume(), RunResult::kRescheduled);
  EXPECT_EQ(Run(scheduler_.Take()), RunResult::kComplete);
  EXPECT_EQ(parent.status(), TaskStatus::kCancelled);
}

TEST_F(HandOverTest, MayBeBrokenOff) {
  JoinHandle<int> child = scheduler_.Spawn(Ready(5));
  TaskHeader* next = scheduler_.Take();
  JoinHandle<int> parent = scheduler_.Spawn(Await(std::move(child)));
  EXPECT_EQ(PollWithNext(next), RunResult::kIdle);
  EXPECT_EQ(Run(next), RunResult::kComplete);
  EXPECT_EQ(Yield(), RunResult::kRescheduled);
  EXPECT_EQ(parent.status(), TaskStatus::kPending);
  EXPECT_EQ(Run(scheduler_.Take()), RunResult::kComplete);
  EXPECT_EQ(parent.status(), TaskStatus::kCompleted);
}

}  // namespace
}  // namespace home
