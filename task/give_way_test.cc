// Giving way: a task that wants to go on, but after others (Context::PollAgain), and what happens
// while it is in the queue.

#include <cstdint>
#include <limits>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/testing.h"
#include "home/future/waker.h"
#include "home/task/join_handle.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::ManualScheduler;

// Gives way in its first poll, waits in the second, and is ready in the third.
class GivesWay {
 public:
  using Output = void;

  explicit GivesWay(Waker* waker) : waker_(waker) {}

  home::Poll<void> Poll(Context& cx) {
    switch (++polls_) {
      case 1:
        *waker_ = cx.waker().Clone();
        cx.PollAgain();
        return cx.PendingFor("its next turn");
      case 2:
        return cx.PendingFor("a wake-up");
      default:
        return kReady;
    }
  }

 private:
  Waker* waker_;
  int polls_ = 0;
};

class GiveWayTest : public ::testing::Test {
 protected:
  ~GiveWayTest() override { scheduler_.Shutdown(); }

  RunResult Run() {
    Turn turn{.budget = std::numeric_limits<std::uint32_t>::max()};
    return RunTask(task_, &turn, scheduler_);
  }
  // Has a task give way, and puts it back in the queue.
  JoinHandle<void> Spawn() {
    JoinHandle<void> handle = scheduler_.Spawn(GivesWay(&waker_));
    task_ = scheduler_.Take();
    EXPECT_EQ(Run(), RunResult::kRescheduled);
    EXPECT_EQ(scheduler_.Take(), nullptr) << "nobody has woken it";
    EXPECT_EQ(handle.status(), TaskStatus::kPending);
    scheduler_.Schedule(task_);
    return handle;
  }

  ManualScheduler scheduler_;
  TaskHeader* task_ = nullptr;
  Waker waker_;
};

TEST_F(GiveWayTest, ItsNextTurnIsLikeAnyOther) {
  const JoinHandle<void> handle = Spawn();
  EXPECT_EQ(scheduler_.Take(), task_);
  EXPECT_EQ(Run(), RunResult::kIdle);
  EXPECT_EQ(scheduler_.Take(), nullptr);
  waker_.WakeByRef();
  EXPECT_EQ(scheduler_.Take(), task_);
  EXPECT_EQ(Run(), RunResult::kComplete);
  EXPECT_EQ(handle.status(), TaskStatus::kCompleted);
}

TEST_F(GiveWayTest, AWakeUpMeanwhileIsForThatTurn) {
  const JoinHandle<void> handle = Spawn();
  waker_.WakeByRef();
  EXPECT_EQ(scheduler_.Take(), task_);
  EXPECT_EQ(scheduler_.Take(), nullptr) << "it is in the queue once";
  EXPECT_EQ(Run(), RunResult::kIdle) << "one turn for both";
  EXPECT_EQ(handle.status(), TaskStatus::kPending);
}

TEST_F(GiveWayTest, AnAbortMeanwhileIsSeen) {
  JoinHandle<void> handle = Spawn();
  handle.Abort();
  EXPECT_EQ(scheduler_.Take(), task_);
  EXPECT_EQ(scheduler_.Take(), nullptr) << "it is in the queue once";
  EXPECT_EQ(Run(), RunResult::kComplete);
  EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
}

TEST_F(GiveWayTest, AnAbortAfterAWakeUpIsSeen) {
  JoinHandle<void> handle = Spawn();
  waker_.WakeByRef();
  handle.Abort();
  EXPECT_EQ(scheduler_.Take(), task_);
  EXPECT_EQ(Run(), RunResult::kComplete);
  EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
}

TEST_F(GiveWayTest, AShutdownMeanwhileCancelsIt) {
  const JoinHandle<void> handle = Spawn();
  scheduler_.Shutdown();
  EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
}

// Whoever polls children with wakers of their own has to learn which one to poll.
TEST(PollAgainTest, WakesUnderAnotherWaker) {
  CountingWaker of_task;
  CountingWaker of_child;
  const Waker task_waker = of_task.Make();
  const Waker child_waker = of_child.Make();
  Turn turn{.budget = 1, .waker = &task_waker};
  Context(child_waker, &turn).PollAgain();
  EXPECT_EQ(of_child.wakes(), 1);
  EXPECT_FALSE(turn.again);
  Context(task_waker, &turn).PollAgain();
  EXPECT_EQ(of_task.wakes(), 0);
  EXPECT_TRUE(turn.again);
}

TEST(PollAgainTest, WakesWhereNobodyLooks) {
  CountingWaker counter;
  const Waker waker = counter.Make();
  Turn turn{.budget = 0};
  EXPECT_FALSE(Context(waker, &turn).ConsumeBudget());
  EXPECT_EQ(counter.wakes(), 1);
  Context(waker).PollAgain();
  EXPECT_EQ(counter.wakes(), 2);
}

}  // namespace
}  // namespace home
