// What an exception does that ends a task which nobody joins.

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/task/task_group.h"

namespace home {
namespace {

RuntimeBuilder Builder(bool current_thread) {
  RuntimeBuilder builder;
  return current_thread ? builder.CurrentThread() : builder.WorkerThreads(2);
}

// Its handle goes before it fails, whatever runs when.
Async<> Panics(std::shared_ptr<std::atomic<bool>> detached) {
  while (!detached->load()) co_await YieldNow();
  throw std::runtime_error("nobody joins");
}
void SpawnPanic(Runtime& runtime) {
  auto detached = std::make_shared<std::atomic<bool>>(false);
  runtime.Spawn(Panics(detached)).Detach();
  detached->store(true);
}

class PanicTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Flavours, PanicTest, ::testing::Bool());

TEST_P(PanicTest, ByDefaultItIsLoggedAndTheRuntimeGoesOn) {
  absl::StatusOr<Runtime> runtime = Builder(GetParam()).OnPanic(PanicPolicy::kGoOn).Build();
  ::testing::internal::CaptureStderr();
  SpawnPanic(*runtime);
  runtime->BlockOn([&]() -> Async<> {
    while (RuntimeMetrics::Snapshot().tasks_alive > 0) co_await YieldNow();
  });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::HasSubstr("nobody joins"));
  EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(Ready(1))), 1);
}

TEST_P(PanicTest, ShutDownEndsEveryBlockOnWithTheException) {
  auto canary = std::make_shared<int>(0);
  absl::StatusOr<Runtime> runtime = Builder(GetParam()).OnPanic(PanicPolicy::kShutDown).Build();
  runtime->Spawn([canary]() -> Async<> { co_await PendingForever<void>(); }).Detach();
  SpawnPanic(*runtime);
  EXPECT_THROW(runtime->BlockOn([canary]() -> Async<> { co_await PendingForever<void>(); }),
               std::runtime_error);
  EXPECT_THROW(runtime->BlockOn(Ready()), std::runtime_error);
  EXPECT_TRUE(runtime->ShutdownTimeout(absl::InfiniteDuration()));
  EXPECT_EQ(canary.use_count(), 1);
}

TEST_P(PanicTest, ShutDownByABlockingClosure) {
  absl::StatusOr<Runtime> runtime = Builder(GetParam()).OnPanic(PanicPolicy::kShutDown).Build();
  std::atomic<bool> detached{false};
  runtime
      ->SpawnBlocking([&detached] {
        while (!detached.load()) std::this_thread::yield();
        throw std::runtime_error("closure");
      })
      .Detach();
  detached.store(true);
  EXPECT_THROW(runtime->BlockOn(PendingForever<void>()), std::runtime_error);
}

using PanicDeathTest = PanicTest;
INSTANTIATE_TEST_SUITE_P(Flavours, PanicDeathTest, ::testing::Bool());

TEST_P(PanicDeathTest, AbortEndsTheProcess) {
  EXPECT_DEATH(
      {
        absl::StatusOr<Runtime> runtime = Builder(GetParam()).OnPanic(PanicPolicy::kAbort).Build();
        SpawnPanic(*runtime);
        runtime->BlockOn(PendingForever<void>());
      },
      "nobody joins");
}

// The scope's children on workers: dropped in the middle, again and again.
TEST(TaskGroupOnWorkersTest, DroppedInTheMiddle) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(3).Build();
  std::atomic<int> alive{0};
  for (int round = 0; round < 200; ++round) {
    runtime->BlockOn([&alive, round]() -> Async<> {
      std::atomic<int> borrowed{0};
      auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<> {
        for (int i = 0; i < 10; ++i) {
          group.Spawn([&alive, &borrowed]() -> Async<> {
            alive.fetch_add(1);
            const std::unique_ptr<std::atomic<int>, void (*)(std::atomic<int>*)> end(
                &alive, [](std::atomic<int>* count) { count->fetch_sub(1); });
            while (true) {
              borrowed.fetch_add(1);
              co_await YieldNow();
            }
          });
        }
        co_return;
      });
      // Polls it some times, and lets it go.
      int polls = 0;
      co_await PollFn([&](Context& cx) -> Poll<void> {
        if (polls == 0) static_cast<void>(scope.Poll(cx));
        if (++polls > 1 + round % 7) return kReady;
        cx.waker().WakeByRef();
        return kPending;
      });
    });
    EXPECT_EQ(alive.load(), 0);
  }
}

}  // namespace
}  // namespace home
