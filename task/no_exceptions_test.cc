// The package without exceptions: this file, and what it instantiates, is compiled with
// -fno-exceptions.

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/task/fork.h"
#include "home/task/join_handle.h"
#include "home/task/join_set.h"
#include "home/task/spawn.h"
#include "home/task/task_group.h"
#include "home/task/task_info.h"
#include "home/task/task_local.h"
#include "home/task/testing.h"

#if defined(__cpp_exceptions)
#error "this test is about code that is compiled without exceptions"
#endif

namespace home {
namespace {

using testing::Countdown;
using testing::ManualScheduler;
using testing::PollOnce;

TEST(NoExceptionsTest, TasksAreJoinedAbortedAndDetached) {
  ManualScheduler scheduler;
  auto output = std::make_shared<int>(3);
  JoinHandle<int> joined = scheduler.Spawn(Countdown(2, 3), "counts");
  JoinHandle<int> aborted = scheduler.Spawn(PendingForever<int>());
  scheduler.Spawn(Ready(output)).Detach();
  EXPECT_EQ(output.use_count(), 2);
  const AbortHandle abort = aborted.abort_handle();
  scheduler.RunUntilIdle();
  abort.Abort();
  scheduler.RunUntilIdle();
  EXPECT_EQ(output.use_count(), 1);
  EXPECT_EQ(joined.status(), TaskStatus::kCompleted);
  EXPECT_EQ(**PollOnce(joined), 3);
  EXPECT_EQ(abort.status(), TaskStatus::kCancelled);
  EXPECT_TRUE(absl::IsCancelled((*PollOnce(aborted)).status()));
}

TEST(NoExceptionsTest, AShutdownCancels) {
  ManualScheduler scheduler;
  JoinHandle<void> waits = scheduler.Spawn(PendingForever<void>());
  scheduler.RunUntilIdle();
  scheduler.Shutdown();
  EXPECT_TRUE(absl::IsCancelled(*PollOnce(waits)));
}

// As its tasks end: their outcomes, added up.
Async<int> Sum(JoinSet<int>& set) {
  int sum = 0;
  while (!set.empty()) {
    std::optional<absl::StatusOr<int>> one = co_await set.JoinNext();
    sum += **one;
  }
  co_return sum;
}

TEST(NoExceptionsTest, JoinSets) {
  ManualScheduler scheduler;
  const TaskSchedulerScope scope(&scheduler);
  JoinSet<int> set;
  for (int i = 1; i <= 4; ++i) set.Spawn(Countdown(i, i));
  JoinHandle<int> sum = Spawn(Sum(set));
  scheduler.RunUntilIdle();
  EXPECT_EQ(**PollOnce(sum), 10);
}

Async<absl::Status> FailOneOf(TaskGroup& group) {
  group.Spawn(PendingForever<void>());
  group.Spawn(Ready(absl::Status(absl::DataLossError("child"))));
  co_return absl::OkStatus();
}

TEST(NoExceptionsTest, TheFirstErrorEndsATaskGroup) {
  ManualScheduler scheduler;
  JoinHandle<absl::Status> group = scheduler.Spawn(WithTaskGroup(FailOneOf));
  scheduler.RunUntilIdle();
  EXPECT_EQ(*PollOnce(group), absl::DataLossError("child"));
}

Async<int> Fibonacci(int n) {
  if (n < 2) co_return n;
  auto left = Fork(Fibonacci(n - 1));
  int right = co_await Fibonacci(n - 2);
  int value = co_await left;
  co_return value + right;
}

TEST(NoExceptionsTest, ForkedChildren) {
  ManualScheduler scheduler;
  JoinHandle<int> value = scheduler.Spawn(Fibonacci(8));
  scheduler.RunUntilIdle();
  EXPECT_EQ(**PollOnce(value), 21);
}

constinit TaskLocal<int> number;

TEST(NoExceptionsTest, TaskLocals) {
  ManualScheduler scheduler;
  JoinHandle<int> value =
      scheduler.Spawn(number.Scope(7, PollFn([](Context&) -> Poll<int> { return *number.Get(); })));
  scheduler.RunUntilIdle();
  EXPECT_EQ(**PollOnce(value), 7);
}

}  // namespace
}  // namespace home
