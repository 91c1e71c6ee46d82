// Every transition from every state that it can meet.

#include "home/task/task_state.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace home {
namespace {

void ToRunning(TaskState& state) { EXPECT_EQ(state.TransitionToRunning(), StartResult::kRun); }
void ToIdle(TaskState& state) {
  ToRunning(state);
  EXPECT_EQ(state.TransitionToIdle(), IdleResult::kIdle);
}
TaskSnapshot ToComplete(TaskState& state) { return state.TransitionToComplete(); }

TEST(TaskStateTest, ASpawnedTaskIsNotifiedWithTwoReferences) {
  TaskState state;
  const TaskSnapshot now = state.Load();
  EXPECT_TRUE(now.notified());
  EXPECT_TRUE(now.join_interest());
  EXPECT_FALSE(now.running() || now.complete() || now.cancelled() || now.join_waker());
  EXPECT_EQ(now.references(), 2u);
}

TEST(TaskStateTest, ADetachedTaskIsTheRuntimesAlone) {
  TaskState state;
  state.DetachUnshared();
  const TaskSnapshot now = state.Load();
  EXPECT_TRUE(now.notified());
  EXPECT_FALSE(now.join_interest());
  EXPECT_EQ(now.references(), 1u);
  ToRunning(state);
  EXPECT_FALSE(ToComplete(state).join_interest());
  EXPECT_TRUE(state.Release());
}

TEST(TaskStateTest, RunningTakesTheNotification) {
  TaskState state;
  EXPECT_EQ(state.TransitionToRunning(), StartResult::kRun);
  EXPECT_TRUE(state.Load().running());
  EXPECT_FALSE(state.Load().notified());
  EXPECT_EQ(state.Load().references(), 2u);
}

TEST(TaskStateTest, IdleAfterPending) {
  TaskState state;
  ToIdle(state);
  EXPECT_TRUE(state.Load().idle());
}

TEST(TaskStateTest, AWakeOfAnIdleTaskSubmitsItOnce) {
  TaskState state;
  ToIdle(state);
  EXPECT_EQ(state.NotifyByRef(), NotifyResult::kSubmit);
  EXPECT_EQ(state.NotifyByRef(), NotifyResult::kDone);
  EXPECT_EQ(state.Load().references(), 2u);
}

TEST(TaskStateTest, AWakeDuringThePollReschedules) {
  TaskState state;
  ToRunning(state);
  EXPECT_EQ(state.NotifyByRef(), NotifyResult::kDone);
  EXPECT_EQ(state.TransitionToIdle(), IdleResult::kNotified);
  EXPECT_TRUE(state.Load().notified());
  EXPECT_FALSE(state.Load().running());
}

TEST(TaskStateTest, AWakeByValueGivesUpItsReferenceInEveryState) {
  TaskState state;
  state.AddReference();
  state.AddReference();
  state.AddReference();
  EXPECT_EQ(state.NotifyByValue(), NotifyResult::kDone);  // in a queue
  EXPECT_EQ(state.Load().references(), 4u);
  ToRunning(state);
  EXPECT_EQ(state.NotifyByValue(), NotifyResult::kDone);
  EXPECT_EQ(state.TransitionToIdle(), IdleResult::kNotified);
  ToIdle(state);
  EXPECT_EQ(state.NotifyByValue(), NotifyResult::kSubmit);
  EXPECT_EQ(state.Load().references(), 2u);
}

TEST(TaskStateTest, AWakeByValueOfACompleteTaskMayBeTheLastReference) {
  TaskState state;
  state.AddReference();
  ToRunning(state);
  static_cast<void>(ToComplete(state));
  EXPECT_FALSE(state.Release());  // the runtime
  EXPECT_FALSE(state.Release());  // the handle
  EXPECT_EQ(state.NotifyByRef(), NotifyResult::kDone);
  EXPECT_EQ(state.NotifyByValue(), NotifyResult::kDestroy);
}

TEST(TaskStateTest, CompletionKeepsTheRuntimesReference) {
  TaskState state;
  ToRunning(state);
  const TaskSnapshot before = ToComplete(state);
  EXPECT_TRUE(before.join_interest());
  EXPECT_FALSE(before.join_waker());
  EXPECT_TRUE(state.Load().complete());
  EXPECT_FALSE(state.Load().running());
  EXPECT_EQ(state.Load().references(), 2u);
}

TEST(TaskStateTest, CompletionForTheHandleGivesUpTheRuntimesReference) {
  TaskState state;
  ToRunning(state);
  ASSERT_TRUE(state.CompleteForHandle());
  EXPECT_TRUE(state.Load().complete());
  EXPECT_FALSE(state.Load().running());
  EXPECT_TRUE(state.Load().join_interest());
  EXPECT_EQ(state.Load().references(), 1u);
}

TEST(TaskStateTest, CompletionForTheHandleIsRefusedIfThereIsMoreToDo) {
  TaskState watched;
  ToRunning(watched);
  EXPECT_EQ(watched.SetJoinWaker(), JoinWakerResult::kDone);
  const std::uint64_t before = watched.Load().word();
  EXPECT_FALSE(watched.CompleteForHandle());
  EXPECT_EQ(watched.Load().word(), before);

  TaskState detached;
  ToRunning(detached);
  bool had_waker = true;
  EXPECT_EQ(detached.DropJoinHandle(had_waker), JoinWakerResult::kDone);
  EXPECT_FALSE(detached.CompleteForHandle());
  EXPECT_TRUE(detached.Load().running());
}

TEST(TaskStateTest, CompletionSeesTheJoinWaker) {
  TaskState state;
  ToRunning(state);
  EXPECT_EQ(state.SetJoinWaker(), JoinWakerResult::kDone);
  EXPECT_TRUE(ToComplete(state).join_waker());
}

TEST(TaskStateTest, CompletionSeesThatTheHandleHasGone) {
  TaskState state;
  ToRunning(state);
  bool had_waker = true;
  EXPECT_EQ(state.DropJoinHandle(had_waker), JoinWakerResult::kDone);
  EXPECT_FALSE(had_waker);
  EXPECT_FALSE(ToComplete(state).join_interest());
  EXPECT_EQ(state.Load().references(), 1u);
}

TEST(TaskStateTest, TheJoinWakerIsSetReplacedAndRefusedAfterCompletion) {
  TaskState state;
  EXPECT_EQ(state.SetJoinWaker(), JoinWakerResult::kDone);
  EXPECT_EQ(state.UnsetJoinWaker(), JoinWakerResult::kDone);
  EXPECT_FALSE(state.Load().join_waker());
  ToRunning(state);
  static_cast<void>(ToComplete(state));
  EXPECT_EQ(state.SetJoinWaker(), JoinWakerResult::kComplete);
  EXPECT_EQ(state.UnsetJoinWaker(), JoinWakerResult::kComplete);
}

TEST(TaskStateTest, DroppingTheHandleReturnsTheJoinWaker) {
  TaskState state;
  EXPECT_EQ(state.SetJoinWaker(), JoinWakerResult::kDone);
  bool had_waker = false;
  EXPECT_EQ(state.DropJoinHandle(had_waker), JoinWakerResult::kDone);
  EXPECT_TRUE(had_waker);
  EXPECT_FALSE(state.Load().join_waker() || state.Load().join_interest());
  EXPECT_EQ(state.Load().references(), 2u);  // given up after the waker is dropped
}

TEST(TaskStateTest, DroppingTheHandleOfACompleteTaskChangesNothing) {
  TaskState state;
  ToRunning(state);
  static_cast<void>(ToComplete(state));
  const std::uint64_t before = state.Load().word();
  bool had_waker = false;
  EXPECT_EQ(state.DropJoinHandle(had_waker), JoinWakerResult::kComplete);
  EXPECT_EQ(state.Load().word(), before);
}

TEST(TaskStateTest, AbortInEveryState) {
  {
    TaskState queued;
    EXPECT_EQ(queued.Abort(), NotifyResult::kDone);
    EXPECT_EQ(queued.Abort(), NotifyResult::kDone);
    EXPECT_EQ(queued.TransitionToRunning(), StartResult::kCancel);
  }
  {
    TaskState running;
    ToRunning(running);
    EXPECT_EQ(running.Abort(), NotifyResult::kDone);
    EXPECT_EQ(running.TransitionToIdle(), IdleResult::kNotified);
    EXPECT_EQ(running.TransitionToRunning(), StartResult::kCancel);
  }
  {
    TaskState idle;
    ToIdle(idle);
    EXPECT_EQ(idle.Abort(), NotifyResult::kSubmit);
    EXPECT_EQ(idle.NotifyByRef(), NotifyResult::kDone);
    EXPECT_EQ(idle.TransitionToRunning(), StartResult::kCancel);
  }
  {
    TaskState complete;
    ToRunning(complete);
    static_cast<void>(ToComplete(complete));
    EXPECT_EQ(complete.Abort(), NotifyResult::kDone);
    EXPECT_FALSE(complete.Load().cancelled());
  }
}

TEST(TaskStateTest, ShutdownTakesAnIdleTaskAndLeavesAQueuedOne) {
  TaskState idle;
  ToIdle(idle);
  EXPECT_TRUE(idle.TransitionToShutdown());
  EXPECT_TRUE(idle.Load().running() && idle.Load().cancelled());
  TaskState queued;
  EXPECT_FALSE(queued.TransitionToShutdown());
  EXPECT_EQ(queued.TransitionToRunning(), StartResult::kCancel);
  TaskState complete;
  ToRunning(complete);
  static_cast<void>(ToComplete(complete));
  EXPECT_FALSE(complete.TransitionToShutdown());
}

// A task that somebody else can reach is neither run nor completed without an RMW.
TEST(TaskStateTest, UnsharedInEveryState) {
  {
    TaskState fresh;
    EXPECT_FALSE(fresh.CompleteUnshared());
    EXPECT_TRUE(fresh.RunUnshared());
    EXPECT_TRUE(fresh.Load().running() && !fresh.Load().notified());
    EXPECT_FALSE(fresh.RunUnshared());
    EXPECT_TRUE(fresh.CompleteUnshared());
    EXPECT_TRUE(fresh.Load().complete() && !fresh.Load().running());
    EXPECT_TRUE(fresh.Load().join_interest());
    EXPECT_EQ(fresh.Load().references(), 1u);
    EXPECT_FALSE(fresh.CompleteUnshared());
  }
  {
    TaskState shared;
    shared.AddReference();
    EXPECT_FALSE(shared.RunUnshared());
    ToRunning(shared);
    EXPECT_FALSE(shared.CompleteUnshared());
    EXPECT_FALSE(shared.Release());
    EXPECT_TRUE(shared.CompleteUnshared());
  }
  {
    TaskState aborted;
    static_cast<void>(aborted.Abort());
    EXPECT_FALSE(aborted.RunUnshared());
  }
  {
    TaskState woken;
    EXPECT_TRUE(woken.RunUnshared());
    static_cast<void>(woken.NotifyByRef());
    EXPECT_FALSE(woken.CompleteUnshared());
  }
  {
    TaskState detached;
    bool had_waker = false;
    static_cast<void>(detached.DropJoinHandle(had_waker));
    EXPECT_FALSE(detached.RunUnshared());
  }
}

// The counter shares its word with flags: neither may disturb the other.
TEST(TaskStateTest, ReferencesLeaveTheFlagsAlone) {
  TaskState state;
  const std::uint64_t flags = state.Load().word() & (TaskSnapshot::kReference - 1);
  for (int i = 0; i < 1000; ++i) state.AddReference();
  EXPECT_EQ(state.Load().references(), 1002u);
  for (int i = 0; i < 1001; ++i) EXPECT_FALSE(state.Release());
  EXPECT_EQ(state.Load().word() & (TaskSnapshot::kReference - 1), flags);
  EXPECT_TRUE(state.Release());
}

}  // namespace
}  // namespace home
