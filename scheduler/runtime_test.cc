// What a runtime promises, on all flavours. runtime_simulation_test runs the simulated one under
// many seeds.

#include "home/scheduler/runtime.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/testing.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;
using testing::Oneshot;

class RuntimeTest : public ::testing::TestWithParam<Flavour> {
 protected:
  RuntimeTest() : runtime_(MakeRuntime(GetParam())) {}
  Runtime runtime_;
};

// What takes other threads, which no seed could replay.
class RuntimeThreadsTest : public RuntimeTest {};

Async<int> Fibonacci(int n) {
  if (n < 2) co_return n;
  JoinHandle<int> left = Spawn(Fibonacci(n - 1));
  int right = co_await Fibonacci(n - 2);
  absl::StatusOr<int> joined = co_await left;
  co_return joined.value_or(0) + right;
}

TEST_P(RuntimeTest, BlockOnReturnsTheValue) {
  EXPECT_EQ(runtime_.BlockOn(Ready(5)), 5);
  runtime_.BlockOn([]() -> Async<> { co_return; });
}

TEST_P(RuntimeTest, SpawnedTasksRunAndAreJoined) {
  EXPECT_EQ(runtime_.BlockOn(Fibonacci(15)), 610);
}

TEST_P(RuntimeTest, ManyTasksFanOutAndIn) {
  int sum = runtime_.BlockOn([]() -> Async<int> {
    std::vector<JoinHandle<int>> handles;
    for (int i = 0; i < 10000; ++i) handles.push_back(Spawn(Ready(i % 7)));
    int total = 0;
    for (JoinHandle<int>& handle : handles) {
      absl::StatusOr<int> value = co_await handle;
      total += *value;
    }
    co_return total;
  });
  int expected = 0;
  for (int i = 0; i < 10000; ++i) expected += i % 7;
  EXPECT_EQ(sum, expected);
}

TEST_P(RuntimeTest, TasksSpawnedOutsideRun) {
  JoinHandle<int> handle = runtime_.Spawn([]() -> Async<int> {
    co_await YieldNow();
    co_return 9;
  });
  absl::StatusOr<int> joined = runtime_.BlockOn(std::move(handle));
  EXPECT_EQ(*joined, 9);
}

TEST_P(RuntimeThreadsTest, AWakeFromAnotherThreadReachesTheTask) {
  for (int i = 0; i < 200; ++i) {
    Oneshot oneshot;
    JoinHandle<int> handle = runtime_.Spawn([&oneshot]() -> Async<int> {
      int value = co_await oneshot.Wait();
      co_return value + 1;
    });
    std::thread setter([&oneshot, i] { oneshot.Set(i); });
    absl::StatusOr<int> joined = runtime_.BlockOn(std::move(handle));
    setter.join();
    EXPECT_EQ(*joined, i + 1);
  }
}

TEST_P(RuntimeThreadsTest, AWakeFromAnotherThreadReachesBlockOn) {
  for (int i = 0; i < 200; ++i) {
    Oneshot oneshot;
    std::thread setter([&oneshot, i] { oneshot.Set(i); });
    EXPECT_EQ(runtime_.BlockOn(oneshot.Wait()), i);
    setter.join();
  }
}

TEST_P(RuntimeTest, YieldLetsOthersRun) {
  // Both are spawned by a task: spawned from outside, the first could be through before the second
  // has come in, and then there is nobody to yield to.
  std::vector<int> order = runtime_.BlockOn([]() -> Async<std::vector<int>> {
    JoinHandle<std::vector<int>> log = Spawn([]() -> Async<std::vector<int>> {
      auto shared = std::make_shared<std::vector<int>>();
      auto mutex = std::make_shared<std::mutex>();
      auto body = [](std::shared_ptr<std::vector<int>> ids, std::shared_ptr<std::mutex> ids_mutex,
                     int id) -> Async<> {
        for (int i = 0; i < 3; ++i) {
          {
            const std::lock_guard held(*ids_mutex);
            ids->push_back(id);
          }
          co_await YieldNow();
        }
      };
      JoinHandle<void> a = Spawn(body(shared, mutex, 1));
      JoinHandle<void> b = Spawn(body(shared, mutex, 2));
      static_cast<void>(co_await a);
      static_cast<void>(co_await b);
      co_return *shared;
    }());
    co_return *co_await log;
  });
  ASSERT_EQ(order.size(), 6u);
  if (GetParam() == Flavour::kCurrentThread || GetParam() == Flavour::kOneWorker) {
    for (size_t i = 1; i < order.size(); ++i) {
      EXPECT_NE(order[i], order[i - 1]) << "at " << i << " of " << ::testing::PrintToString(order);
    }
  }
}

TEST_P(RuntimeTest, ASleepEndsWithoutWaitingForALaterOne) {
  runtime_.BlockOn([]() -> Async<> {
    JoinHandle<void> later = Spawn(Sleep(absl::Hours(1)));
    JoinHandle<void> sooner = Spawn(Sleep(absl::Milliseconds(5)));
    co_await Sleep(absl::Milliseconds(1));
    static_cast<void>(co_await sooner);
    EXPECT_FALSE(later.finished());
  });
}

TEST_P(RuntimeTest, ATimeoutCancelsWhatIsTooSlow) {
  absl::Status status = runtime_.BlockOn(Timeout(PendingForever<void>(), absl::Milliseconds(5)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
}

TEST_P(RuntimeTest, AbortedTasksAreCancelled) {
  absl::StatusOr<int> joined = runtime_.BlockOn([]() -> Async<absl::StatusOr<int>> {
    JoinHandle<int> handle = Spawn(PendingForever<int>());
    co_await YieldNow();
    handle.Abort();
    co_return co_await handle;
  });
  EXPECT_TRUE(absl::IsCancelled(joined.status()));
}

TEST_P(RuntimeThreadsTest, BlockingClosuresRunElsewhere) {
  std::thread::id here = std::this_thread::get_id();
  absl::StatusOr<std::thread::id> there =
      runtime_.BlockOn([]() -> Async<absl::StatusOr<std::thread::id>> {
        JoinHandle<std::thread::id> handle =
            SpawnBlocking([] { return std::this_thread::get_id(); });
        co_return co_await handle;
      });
  ASSERT_TRUE(there.ok());
  EXPECT_NE(*there, here);
}

TEST_P(RuntimeTest, BlockingClosuresMaySpawnTasks) {
  absl::StatusOr<int> joined = runtime_.BlockOn([]() -> Async<absl::StatusOr<int>> {
    JoinHandle<JoinHandle<int>> outer = SpawnBlocking([] { return Spawn(Ready(4)); });
    absl::StatusOr<JoinHandle<int>> inner = co_await outer;
    co_return co_await *inner;
  });
  EXPECT_EQ(*joined, 4);
}

TEST_P(RuntimeTest, AnExceptionOfATaskIsRethrownAtItsJoin) {
  auto thrower = []() -> Async<int> {
    co_await YieldNow();
    throw std::runtime_error("from a task");
  };
  EXPECT_THROW(
      {
        JoinHandle<int> handle = runtime_.Spawn(thrower);
        static_cast<void>(runtime_.BlockOn(std::move(handle)));
      },
      std::runtime_error);
}

TEST_P(RuntimeTest, MetricsCountTasks) {
  runtime_.BlockOn([]() -> Async<> {
    for (int i = 0; i < 10; ++i) {
      JoinHandle<void> handle = Spawn(Ready());
      static_cast<void>(co_await handle);
    }
  });
  runtime_.BlockOn(PollFn([this](Context& cx) -> Poll<void> {
    // The last completion may be counted a moment after its join.
    if (runtime_.Metrics().tasks_completed == 10) return kReady;
    cx.waker().WakeByRef();
    return kPending;
  }));
  RuntimeMetrics metrics = runtime_.Metrics();
  EXPECT_EQ(metrics.tasks_spawned, 10u);
  EXPECT_EQ(metrics.tasks_alive, 0u);
  EXPECT_GE(metrics.total.polls, 10u);
}

// tokio#4941: two tasks that wake each other through the LIFO slot must not
// starve a third one.
TEST_P(RuntimeTest, PingPongThroughTheLifoSlotStarvesNobody) {
  runtime_.BlockOn([]() -> Async<> {
    struct Table {
      std::mutex mutex;
      int turn = 0;
      Waker wakers[2];
      bool stop = false;
    };
    auto table = std::make_shared<Table>();
    auto player = [](std::shared_ptr<Table> shared, int me) -> Async<> {
      auto turn = PollFn([shared, me](Context& cx) -> Poll<void> {
        Waker other;
        bool stop = false;
        {
          const std::lock_guard lock(shared->mutex);
          shared->wakers[me] = cx.waker().Clone();
          other = std::move(shared->wakers[1 - me]);
          stop = shared->stop;
        }
        std::move(other).Wake();
        if (stop) return kReady;
        return kPending;
      });
      co_await turn;
    };
    JoinHandle<void> ping = Spawn(player(table, 0));
    JoinHandle<void> pong = Spawn(player(table, 1));
    JoinHandle<void> third = Spawn([table]() -> Async<> {
      for (int i = 0; i < 100; ++i) co_await YieldNow();
      const std::lock_guard lock(table->mutex);
      table->stop = true;
      for (Waker& waker : table->wakers) std::move(waker).Wake();
    });
    static_cast<void>(co_await third);
    ping.Abort();
    pong.Abort();
    static_cast<void>(co_await ping);
    static_cast<void>(co_await pong);
  });
}

// A task that is always ready must not keep timers and sockets from being seen.
TEST_P(RuntimeTest, ABusyLoopStarvesNoTimer) {
  runtime_.BlockOn([]() -> Async<> {
    auto stop = std::make_shared<std::atomic<bool>>(false);
    JoinHandle<void> busy = Spawn([stop]() -> Async<> {
      while (!stop->load()) co_await YieldNow();
    });
    co_await Sleep(absl::Milliseconds(5));
    stop->store(true);
    static_cast<void>(co_await busy);
  });
}

// The injector is looked at even if a local queue never runs dry.
TEST_P(RuntimeTest, ABusyQueueStarvesNoTaskFromOutside) {
  std::atomic<bool> stop{false};
  std::vector<JoinHandle<void>> busy;
  for (int i = 0; i < 8; ++i) {
    busy.push_back(runtime_.Spawn([&stop]() -> Async<> {
      while (!stop.load()) co_await YieldNow();
    }));
  }
  JoinHandle<void> late = runtime_.Spawn([&stop]() -> Async<> {
    stop.store(true);
    co_return;
  });
  EXPECT_TRUE(runtime_.BlockOn(std::move(late)).ok());
  for (JoinHandle<void>& handle : busy) EXPECT_TRUE(runtime_.BlockOn(std::move(handle)).ok());
}

TEST_P(RuntimeTest, DestructionCancelsEveryTask) {
  auto token = std::make_shared<int>(0);
  std::vector<JoinHandle<void>> handles;
  {
    Runtime runtime = MakeRuntime(GetParam());
    for (int i = 0; i < 100; ++i) {
      handles.push_back(runtime.Spawn([token, i]() -> Async<> {
        std::shared_ptr<int> held = token;
        if (i % 2 == 0) co_await Sleep(absl::Hours(1));
        if (i % 2 == 1) co_await PendingForever<void>();
      }));
    }
    runtime.BlockOn([]() -> Async<> {
      for (int i = 0; i < 10; ++i) co_await YieldNow();
    });
  }
  EXPECT_EQ(token.use_count(), 1);
  for (JoinHandle<void>& handle : handles) {
    EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
    EXPECT_TRUE(absl::IsCancelled(runtime_.BlockOn(std::move(handle))));
  }
}

// A destructor that wakes, aborts or spawns while the runtime goes down.
TEST_P(RuntimeTest, DestructorsMayWakeAndSpawnDuringShutdown) {
  auto token = std::make_shared<int>(0);
  {
    Runtime runtime = MakeRuntime(GetParam());
    auto oneshot = std::make_shared<Oneshot>();
    struct SpawnsWhenItDies {
      std::shared_ptr<int> token;
      std::shared_ptr<Oneshot> oneshot;
      SpawnsWhenItDies(std::shared_ptr<int> t, std::shared_ptr<Oneshot> o)
          : token(std::move(t)), oneshot(std::move(o)) {}
      ~SpawnsWhenItDies() {
        oneshot->Set(1);
        JoinHandle<void> handle = Spawn([held = token]() -> Async<> { co_await YieldNow(); });
      }
    };
    for (int i = 0; i < 4; ++i) {
      runtime
          .Spawn([token, oneshot]() -> Async<> {
            SpawnsWhenItDies local(token, oneshot);
            co_await PendingForever<void>();
          })
          .Detach();
      runtime
          .Spawn([token, oneshot]() -> Async<> {
            co_await oneshot->Wait();
            co_await PendingForever<void>();
          })
          .Detach();
    }
    runtime.BlockOn([]() -> Async<> {
      for (int i = 0; i < 10; ++i) co_await YieldNow();
    });
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(RuntimeTest, AHandleAfterTheShutdownCancelsWhatItSpawns) {
  std::optional<Handle> handle;
  {
    Runtime runtime = MakeRuntime(GetParam());
    handle = runtime.handle();
  }
  JoinHandle<int> late = handle->Spawn(Ready(1));
  EXPECT_TRUE(absl::IsCancelled(runtime_.BlockOn(std::move(late)).status()));
  JoinHandle<int> late_closure = handle->SpawnBlocking([] { return 1; });
  EXPECT_TRUE(absl::IsCancelled(runtime_.BlockOn(std::move(late_closure)).status()));
}

TEST_P(RuntimeTest, RuntimesComeAndGo) {
  for (int i = 0; i < 100; ++i) {
    Runtime runtime = MakeRuntime(GetParam());
    EXPECT_EQ(runtime.BlockOn(Fibonacci(5)), 5);
  }
}

// A spawn that races with the shutdown runs or is cancelled, and leaks nothing.
TEST_P(RuntimeThreadsTest, SpawnsRaceWithShutdown) {
  auto token = std::make_shared<int>(0);
  for (int round = 0; round < 50; ++round) {
    std::optional<Runtime> runtime(MakeRuntime(GetParam()));
    Handle handle = runtime->handle();
    std::atomic<bool> go{false};
    std::thread spawner([&] {
      while (!go.load()) std::this_thread::yield();
      for (int i = 0; i < 50; ++i) {
        handle.Spawn([token]() -> Async<> { co_await YieldNow(); }).Detach();
      }
    });
    go.store(true);
    runtime.reset();
    spawner.join();
  }
  EXPECT_EQ(token.use_count(), 1);
}

// A thread that is in the middle of a wake while the runtime goes down.
TEST_P(RuntimeThreadsTest, WakesRaceWithShutdown) {
  for (int round = 0; round < 100; ++round) {
    std::optional<Runtime> runtime(MakeRuntime(GetParam()));
    auto oneshot = std::make_shared<Oneshot>();
    runtime
        ->Spawn([oneshot]() -> Async<> {
          co_await oneshot->Wait();
          co_await PendingForever<void>();
        })
        .Detach();
    if (GetParam() == Flavour::kCurrentThread) runtime->BlockOn(YieldNow());
    std::thread setter([oneshot] { oneshot->Set(1); });
    runtime.reset();
    setter.join();
  }
}

TEST_P(RuntimeThreadsTest, ShutdownWaitsForBlockingClosuresThatRun) {
  std::atomic<bool> done{false};
  std::promise<void> started;
  Runtime runtime = MakeRuntime(GetParam());
  runtime
      .SpawnBlocking([&] {
        started.set_value();
        absl::SleepFor(absl::Milliseconds(20));
        done.store(true);
      })
      .Detach();
  started.get_future().wait();
  EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
  EXPECT_TRUE(done.load());
}

TEST_P(RuntimeThreadsTest, ShutdownGivesUpOnWhatDoesNotEnd) {
  std::promise<void> release;
  std::promise<void> started;
  std::promise<void> ended;
  Runtime runtime = MakeRuntime(GetParam());
  runtime
      .SpawnBlocking([&] {
        started.set_value();
        release.get_future().wait();
        ended.set_value();
      })
      .Detach();
  started.get_future().wait();
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::Milliseconds(5)));
  release.set_value();
  ended.get_future().wait();
}

INSTANTIATE_TEST_SUITE_P(Flavours, RuntimeTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kOneWorker,
                                           Flavour::kTwoWorkers, Flavour::kFourWorkers,
                                           Flavour::kSimulated),
                         testing::FlavourName);
INSTANTIATE_TEST_SUITE_P(Flavours, RuntimeThreadsTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kOneWorker,
                                           Flavour::kTwoWorkers, Flavour::kFourWorkers),
                         testing::FlavourName);

}  // namespace
}  // namespace home
