#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"
#include "home/task/task_cell.h"
#include "home/task/task_id.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::ManualScheduler;
using testing::PollOnce;

// Waits until it is opened by hand.
struct Gate {
  Waker waker;
  bool open = false;
  void Open() {
    open = true;
    std::move(waker).Wake();
  }
};
auto Wait(Gate& gate) {
  return PollFn([&gate](Context& cx) -> Poll<void> {
    if (gate.open) return kReady;
    UpdateWaker(gate.waker, cx.waker());
    return kPending;
  });
}

TEST(TaskTest, UniqueIds) {
  std::set<TaskId> ids;
  for (int i = 0; i < 5000; ++i) EXPECT_TRUE(ids.insert(TaskId::Next()).second);
  EXPECT_FALSE(ids.contains(TaskId()));
}

TEST(TaskTest, Lifecycle) {
  ManualScheduler scheduler;
  Gate gate;
  JoinHandle<void> handle = scheduler.Spawn(Wait(gate));
  EXPECT_EQ(handle.status(), TaskStatus::kPending);
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_EQ(handle.status(), TaskStatus::kPending);
  gate.Open();
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_EQ(handle.status(), TaskStatus::kCompleted);
  EXPECT_TRUE(handle.finished());
  EXPECT_TRUE((*PollOnce(handle)).ok());
}

TEST(TaskTest, PendingFuture) {
  ManualScheduler scheduler;
  JoinHandle<void> handle = scheduler.Spawn(PendingForever<void>());
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(handle, counter).pending());
  scheduler.Shutdown();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(absl::IsCancelled(*PollOnce(handle)));
}

TEST(TaskTest, Cancellation) {
  ManualScheduler scheduler;
  Gate gate;
  auto token = std::make_shared<int>(0);
  JoinHandle<void> handle = scheduler.Spawn([&gate, token]() -> Async<> {
    std::shared_ptr<int> held = token;
    co_await Wait(gate);
  });
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_EQ(token.use_count(), 3);
  handle.Abort();
  handle.Abort();
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
  EXPECT_TRUE(absl::IsCancelled(*PollOnce(handle)));
}

TEST(TaskTest, AbortBeforeTheFirstPollRunsNothing) {
  ManualScheduler scheduler;
  bool ran = false;
  JoinHandle<void> handle = scheduler.Spawn([&ran]() -> Async<> {
    ran = true;
    co_return;
  });
  handle.Abort();
  scheduler.RunUntilIdle();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(absl::IsCancelled(*PollOnce(handle)));
}

TEST(TaskTest, AbortAfterTheEndChangesNothing) {
  ManualScheduler scheduler;
  JoinHandle<int> handle = scheduler.Spawn(Ready(3));
  scheduler.RunUntilIdle();
  handle.Abort();
  EXPECT_EQ(**PollOnce(handle), 3);
}

TEST(TaskTest, JoinHandleOfAReadyTask) {
  ManualScheduler scheduler;
  JoinHandle<std::unique_ptr<int>> handle = scheduler.Spawn(Ready(std::make_unique<int>(4)));
  scheduler.RunUntilIdle();
  auto joined = PollOnce(handle);
  ASSERT_TRUE(joined.ready());
  ASSERT_TRUE((*joined).ok());
  EXPECT_EQ(***joined, 4);
}

TEST(TaskTest, TypeErasure) {
  ManualScheduler scheduler;
  JoinHandle<int> from_future = scheduler.Spawn(Ready(1));
  JoinHandle<int> from_coroutine = scheduler.Spawn([]() -> Async<int> { co_return 2; });
  JoinHandle<int> from_function = scheduler.Spawn([] { return Ready(3); });
  EXPECT_EQ(scheduler.RunUntilIdle(), 3u);
  EXPECT_EQ(**PollOnce(from_future), 1);
  EXPECT_EQ(**PollOnce(from_coroutine), 2);
  EXPECT_EQ(**PollOnce(from_function), 3);
}

TEST(TaskTest, StatusesAreNotNested) {
  ManualScheduler scheduler;
  JoinHandle<absl::Status> status =
      scheduler.Spawn(Ready(absl::Status(absl::DataLossError("lost"))));
  JoinHandle<absl::StatusOr<int>> result = scheduler.Spawn(Ready(absl::StatusOr<int>(5)));
  scheduler.RunUntilIdle();
  absl::Status joined_status = *PollOnce(status);
  EXPECT_EQ(joined_status, absl::DataLossError("lost"));
  absl::StatusOr<int> joined_result = *PollOnce(result);
  EXPECT_EQ(*joined_result, 5);
}

TEST(TaskTest, TheJoinWakerIsWokenOnce) {
  ManualScheduler scheduler;
  JoinHandle<int> handle = scheduler.Spawn(Ready(1));
  CountingWaker first;
  CountingWaker second;
  EXPECT_TRUE(PollOnce(handle, first).pending());
  EXPECT_TRUE(PollOnce(handle, first).pending());
  EXPECT_EQ(first.alive(), 1);
  EXPECT_TRUE(PollOnce(handle, second).pending());
  EXPECT_EQ(first.alive(), 0);
  scheduler.RunUntilIdle();
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_EQ(second.alive(), 0);
  EXPECT_EQ(**PollOnce(handle), 1);
}

TEST(TaskTest, DroppingTheHandleDetaches) {
  ManualScheduler scheduler;
  Gate gate;
  int ran = 0;
  auto output = std::make_shared<int>(0);
  {
    JoinHandle<std::shared_ptr<int>> handle =
        scheduler.Spawn([&gate, &ran, output]() -> Async<std::shared_ptr<int>> {
          co_await Wait(gate);
          ++ran;
          co_return output;
        });
    scheduler.RunUntilIdle();
    CountingWaker counter;
    EXPECT_TRUE(PollOnce(handle, counter).pending());
    JoinHandle<std::shared_ptr<int>> gone = std::move(handle);
  }
  gate.Open();
  scheduler.RunUntilIdle();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(output.use_count(), 1);
}

TEST(TaskTest, DroppingTheHandleOfAnEndedTaskDropsItsOutput) {
  ManualScheduler scheduler;
  auto output = std::make_shared<int>(0);
  JoinHandle<std::shared_ptr<int>> handle = scheduler.Spawn(Ready(output));
  AbortHandle keeps_the_cell = handle.abort_handle();
  scheduler.RunUntilIdle();
  EXPECT_EQ(output.use_count(), 2);
  handle.Detach();
  EXPECT_EQ(output.use_count(), 1);
  EXPECT_EQ(keeps_the_cell.status(), TaskStatus::kCompleted);
}

// Asks for more alignment than operator new gives. Yields at the second poll how often it lay
// where it should; wakes itself before.
class alignas(64) OverAlignedFuture {
 public:
  using Output = int;
  home::Poll<int> Poll(Context& cx) {
    if (reinterpret_cast<std::uintptr_t>(this) % alignof(OverAlignedFuture) == 0) ++aligned_;
    if (++polls_ == 2) return aligned_;
    cx.waker().WakeByRef();
    return kPending;
  }

 private:
  int polls_ = 0;
  int aligned_ = 0;
};

TEST(TaskTest, AnOverAlignedFutureLiesWhereItShould) {
  ManualScheduler scheduler;
  // Several, as one may be in luck.
  std::vector<JoinHandle<int>> handles;
  for (int i = 0; i < 4; ++i) handles.push_back(scheduler.Spawn(OverAlignedFuture()));
  // A name lies in front of the cell.
  for (int i = 0; i < 4; ++i) handles.push_back(scheduler.Spawn(OverAlignedFuture(), "named"));
  // And one that does not come to its second poll.
  JoinHandle<int> aborted = scheduler.Spawn(OverAlignedFuture());
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(scheduler.RunOne());
  aborted.Abort();
  scheduler.RunUntilIdle();
  for (JoinHandle<int>& handle : handles) EXPECT_EQ(**PollOnce(handle), 2);
  EXPECT_TRUE(absl::IsCancelled((*PollOnce(aborted)).status()));
}

TEST(TaskTest, AWakeDuringThePollRunsTheTaskAgain) {
  ManualScheduler scheduler;
  int polls = 0;
  JoinHandle<int> handle = scheduler.Spawn(PollFn([&polls](Context& cx) -> Poll<int> {
    if (++polls == 3) return polls;
    cx.waker().WakeByRef();
    return kPending;
  }));
  EXPECT_EQ(scheduler.RunUntilIdle(), 3u);
  EXPECT_EQ(**PollOnce(handle), 3);
}

TEST(TaskTest, AWakerMayOutliveItsTaskAndTheScheduler) {
  Waker kept;
  {
    ManualScheduler scheduler;
    JoinHandle<void> handle = scheduler.Spawn(PollFn([&kept](Context& cx) -> Poll<void> {
      kept = cx.waker().Clone();
      return kPending;
    }));
    scheduler.RunUntilIdle();
  }
  Waker clone = kept.Clone();
  kept.WakeByRef();
  std::move(kept).Wake();
}

TEST(TaskTest, TheFutureDiesBeforeTheOutcomeIsPublished) {
  ManualScheduler scheduler;
  auto local = std::make_shared<int>(0);
  JoinHandle<long> handle = scheduler.Spawn([local]() -> Async<long> { co_return 0; });
  EXPECT_EQ(local.use_count(), 2);
  scheduler.RunUntilIdle();
  EXPECT_TRUE(handle.finished());
  EXPECT_EQ(local.use_count(), 1);
}

TEST(TaskTest, AnExceptionIsRethrownAtTheJoin) {
  ManualScheduler scheduler;
  JoinHandle<int> handle = scheduler.Spawn([]() -> Async<int> {
    co_await Ready();
    throw std::runtime_error("task");
  });
  scheduler.RunUntilIdle();
  EXPECT_EQ(handle.status(), TaskStatus::kFailed);
  EXPECT_THROW(static_cast<void>(PollOnce(handle)), std::runtime_error);
  EXPECT_EQ(scheduler.unjoined_exceptions(), 0);
}

TEST(TaskTest, AnExceptionThatNobodyJoinsIsReported) {
  ManualScheduler scheduler;
  scheduler
      .Spawn([]() -> Async<> {
        co_await Ready();
        throw std::runtime_error("task");
      })
      .Detach();
  scheduler.RunUntilIdle();
  EXPECT_EQ(scheduler.unjoined_exceptions(), 1);
}

// The runtime may be gone by then, and its panic handler with it.
TEST(TaskTest, AnExceptionWhoseHandleIsDroppedLateIsLogged) {
  ::testing::internal::CaptureStderr();
  {
    ManualScheduler scheduler;
    JoinHandle<void> handle = scheduler.Spawn([]() -> Async<> {
      co_await Ready();
      throw std::runtime_error("seen late");
    });
    scheduler.RunUntilIdle();
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::HasSubstr("seen late"));
}

TEST(TaskTest, ATaskMayDropItsOwnHandle) {
  ManualScheduler scheduler;
  JoinHandle<void>* slot = nullptr;
  JoinHandle<void> handle = scheduler.Spawn([&slot]() -> Async<> {
    slot->Detach();
    co_return;
  });
  slot = &handle;
  scheduler.RunUntilIdle();
  EXPECT_TRUE(handle.finished());
}

TEST(TaskTest, SpawnMeansTheExecutorOfTheScope) {
  ManualScheduler outer;
  ManualScheduler inner;
  EXPECT_EQ(CurrentTaskScheduler(), nullptr);
  {
    const TaskSchedulerScope scope(&outer);
    {
      const TaskSchedulerScope nested(&inner);
      EXPECT_EQ(CurrentTaskScheduler(), &inner);
    }
    EXPECT_EQ(CurrentTaskScheduler(), &outer);
    Spawn([]() -> Async<> {
      Spawn(Ready(1)).Detach();
      co_return;
    }).Detach();
  }
  EXPECT_EQ(CurrentTaskScheduler(), nullptr);
  EXPECT_EQ(inner.RunUntilIdle(), 0u);
  EXPECT_EQ(outer.RunUntilIdle(), 2u);
}

TEST(TaskTest, ATaskKnowsItsNameAndWhereItWasSpawned) {
  ManualScheduler scheduler;
  const unsigned line = std::source_location::current().line();
  JoinHandle<int> named = scheduler.Spawn(Ready(1), "worker");
  JoinHandle<int> unnamed = scheduler.Spawn(Ready(1));
  EXPECT_STREQ(named.name(), "worker");
  EXPECT_EQ(named.location().line(), line + 1);
  EXPECT_EQ(unnamed.name(), nullptr);
  EXPECT_EQ(unnamed.location().line(), line + 2);
  EXPECT_STREQ(named.abort_handle().name(), "worker");
  EXPECT_STREQ(unnamed.location().file_name(), std::source_location::current().file_name());
}

TEST(TaskTest, OverheadBeyondTheFutureIs88Bytes) {
  EXPECT_LE(sizeof(TaskCell<Async<int>>), sizeof(Async<int>) + 88);
  EXPECT_LE(sizeof(TaskCell<Async<>>), sizeof(Async<>) + 88);
}

TEST(TaskDeathTest, JoiningTwiceIsNamed) {
  EXPECT_DEATH(
      {
        ManualScheduler scheduler;
        JoinHandle<int> handle = scheduler.Spawn(Ready(1));
        scheduler.RunUntilIdle();
        static_cast<void>(PollOnce(handle));
        static_cast<void>(PollOnce(handle));
      },
      "awaited after it was ready");
}

TEST(TaskDeathTest, SpawnWithoutAnExecutorIsNamed) {
  EXPECT_DEATH(Spawn(Ready(1)).Detach(), "Spawn was called outside of a runtime");
}

TEST(TaskDeathTest, AwaitingAnEmptyHandleIsNamed) {
  EXPECT_DEATH(
      {
        ManualScheduler scheduler;
        JoinHandle<int> handle = scheduler.Spawn(Ready(1));
        JoinHandle<int> other = std::move(handle);
        static_cast<void>(PollOnce(handle));  // NOLINT: the mistake under test
      },
      "or empty");
}

TEST(TaskDeathTest, JoiningTwiceInACoroutineIsNamed) {
  EXPECT_DEATH(
      {
        ManualScheduler scheduler;
        JoinHandle<int> handle = scheduler.Spawn(Ready(1));
        scheduler
            .Spawn([&handle]() -> Async<> {
              static_cast<void>(co_await handle);
              static_cast<void>(co_await handle);
            })
            .Detach();
        scheduler.RunUntilIdle();
      },
      "awaited after it was ready");
}

}  // namespace
}  // namespace home
