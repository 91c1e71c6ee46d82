// Tasks that are pinned to a thread: they never leave it, on either flavour.

#include "home/scheduler/spawn_local.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;
using testing::Oneshot;

// Where the pinned tasks of a test are spawned: inside BlockOn, or in a task.
enum class Place { kBlockOn, kTask };

class SpawnLocalTest : public ::testing::TestWithParam<std::tuple<Flavour, Place>> {
 protected:
  SpawnLocalTest() : runtime_(MakeRuntime(std::get<0>(GetParam()))) {}

  // Runs `body`, a coroutine function of void, at the test's place.
  template <typename Body>
  void RunThere(Body body) {
    if (std::get<1>(GetParam()) == Place::kBlockOn) {
      runtime_.BlockOn(body);
    } else {
      EXPECT_TRUE(runtime_.BlockOn(runtime_.Spawn(body)).ok());
    }
  }

  Runtime runtime_;
};

// Fails if it is moved, polled or destroyed on another thread than the first.
class Pinned {
 public:
  Pinned() = default;
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { Check(); }
  void Check() const { EXPECT_EQ(std::this_thread::get_id(), thread_); }

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
};

TEST_P(SpawnLocalTest, YieldsItsValue) {
  RunThere([]() -> Async<> {
    JoinHandle<int> handle = SpawnLocal(Ready(4));
    absl::StatusOr<int> value = co_await handle;
    EXPECT_EQ(*value, 4);
  });
}

TEST_P(SpawnLocalTest, StaysOnItsThread) {
  RunThere([]() -> Async<> {
    const std::thread::id here = std::this_thread::get_id();
    std::vector<JoinHandle<int>> handles;
    for (int i = 0; i < 20; ++i) {
      handles.push_back(SpawnLocal([here, i]() -> Async<int> {
        EXPECT_EQ(std::this_thread::get_id(), here);
        Pinned pinned;
        for (int turn = 0; turn < 10; ++turn) {
          if (turn % 3 == 0) co_await Sleep(absl::Microseconds(100 * i));
          if (turn % 3 == 1) co_await YieldNow();
          if (turn % 3 == 2) {
            // Woken from wherever the other task ends.
            auto other = Spawn([]() -> Async<> { co_await YieldNow(); });
            static_cast<void>(co_await other);
          }
          pinned.Check();
        }
        co_return i;
      }));
    }
    for (int i = 0; i < 20; ++i) {
      absl::StatusOr<int> value = co_await handles[static_cast<std::size_t>(i)];
      EXPECT_EQ(*value, i);
    }
  });
}

TEST_P(SpawnLocalTest, SharesDataWithoutLocks) {
  RunThere([]() -> Async<> {
    // Plain: ThreadSanitizer would see another thread touch it.
    int counter = 0;
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 10; ++i) {
      handles.push_back(SpawnLocal([&counter]() -> Async<> {
        for (int turn = 0; turn < 100; ++turn) {
          ++counter;
          co_await YieldNow();
        }
      }));
    }
    for (JoinHandle<void>& handle : handles) static_cast<void>(co_await handle);
    // The body may have moved to another thread, but joined all of them.
    EXPECT_EQ(counter, 1000);
  });
}

TEST_P(SpawnLocalTest, APinnedTaskMaySpawnPinnedTasks) {
  RunThere([]() -> Async<> {
    JoinHandle<int> outer = SpawnLocal([]() -> Async<int> {
      Pinned pinned;
      JoinHandle<int> inner = SpawnLocal(Ready(8));
      absl::StatusOr<int> value = co_await inner;
      pinned.Check();
      co_return *value;
    });
    absl::StatusOr<int> value = co_await outer;
    EXPECT_EQ(*value, 8);
  });
}

TEST_P(SpawnLocalTest, AWakeFromAnotherThreadReachesIt) {
  RunThere([]() -> Async<> {
    for (int i = 0; i < 100; ++i) {
      auto oneshot = std::make_shared<Oneshot>();
      JoinHandle<int> handle = SpawnLocal([oneshot]() -> Async<int> {
        Pinned pinned;
        const int value = co_await oneshot->Wait();
        pinned.Check();
        co_return value;
      });
      std::thread setter([oneshot, i] { oneshot->Set(i); });
      absl::StatusOr<int> value = co_await handle;
      setter.join();
      EXPECT_EQ(*value, i);
    }
  });
}

TEST_P(SpawnLocalTest, AbortFromAnotherThreadDropsItOnItsOwn) {
  RunThere([]() -> Async<> {
    for (int i = 0; i < 50; ++i) {
      JoinHandle<void> handle = SpawnLocal([]() -> Async<> {
        Pinned pinned;
        co_await PendingForever<void>();
      });
      if (i % 2 == 0) co_await YieldNow();
      std::thread aborter([abort = handle.abort_handle()] { abort.Abort(); });
      const absl::Status status = co_await handle;
      aborter.join();
      EXPECT_TRUE(absl::IsCancelled(status));
    }
  });
}

TEST_P(SpawnLocalTest, AnExceptionIsRethrownAtItsJoin) {
  RunThere([]() -> Async<> {
    JoinHandle<void> handle = SpawnLocal([]() -> Async<> {
      co_await YieldNow();
      throw std::runtime_error("from a pinned task");
    });
    bool thrown = false;
    try {
      static_cast<void>(co_await handle);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  });
}

// Neither a pinned task that always yields nor an ordinary one keeps the other from
// running.
TEST_P(SpawnLocalTest, PinnedAndOtherTasksTakeTurns) {
  RunThere([]() -> Async<> {
    auto turns = std::make_shared<std::atomic<int>>(0);
    auto stop = std::make_shared<std::atomic<bool>>(false);
    auto busy = [stop]() -> Async<> {
      while (!stop->load()) co_await YieldNow();
    };
    JoinHandle<void> busy_pinned = SpawnLocal(busy);
    JoinHandle<void> busy_other = Spawn(busy);
    JoinHandle<void> pinned = SpawnLocal([turns]() -> Async<> {
      for (int i = 0; i < 100; ++i) co_await YieldNow();
      turns->fetch_add(1);
    });
    JoinHandle<void> other = Spawn([turns]() -> Async<> {
      for (int i = 0; i < 100; ++i) co_await YieldNow();
      turns->fetch_add(1);
    });
    static_cast<void>(co_await pinned);
    static_cast<void>(co_await other);
    stop->store(true);
    static_cast<void>(co_await busy_pinned);
    static_cast<void>(co_await busy_other);
    EXPECT_EQ(turns->load(), 2);
  });
}

// Its destructor may wake, spawn and abort, on its own thread, at the very end.
TEST_P(SpawnLocalTest, TheEndDropsThemOnTheirThread) {
  auto token = std::make_shared<int>(0);
  std::vector<JoinHandle<void>> handles;
  {
    Runtime runtime = MakeRuntime(std::get<0>(GetParam()));
    auto body = [token, &handles]() -> Async<> {
      auto oneshot = std::make_shared<Oneshot>();
      struct SpawnsWhenItDies {
        explicit SpawnsWhenItDies(std::shared_ptr<int> t, std::shared_ptr<Oneshot> o)
            : token(std::move(t)), oneshot(std::move(o)) {}
        ~SpawnsWhenItDies() {
          pinned.Check();
          oneshot->Set(1);
          SpawnLocal([held = token]() -> Async<> { co_await YieldNow(); }).Detach();
          Spawn([held = token]() -> Async<> { co_await YieldNow(); }).Detach();
        }
        Pinned pinned;
        std::shared_ptr<int> token;
        std::shared_ptr<Oneshot> oneshot;
      };
      for (int i = 0; i < 8; ++i) {
        handles.push_back(SpawnLocal([token, oneshot, i]() -> Async<> {
          SpawnsWhenItDies local(token, oneshot);
          if (i % 3 == 0) co_await Sleep(absl::Hours(1));
          if (i % 3 == 1) static_cast<void>(co_await oneshot->Wait());
          co_await PendingForever<void>();
        }));
      }
      for (int i = 0; i < 5; ++i) co_await YieldNow();
      // Not begun.
      handles.push_back(SpawnLocal([token]() -> Async<> { co_return; }));
    };
    if (std::get<1>(GetParam()) == Place::kBlockOn) {
      runtime.BlockOn(body);
      // The BlockOn was their home.
      EXPECT_EQ(handles.front().status(), TaskStatus::kCancelled);
    } else {
      EXPECT_TRUE(runtime.BlockOn(runtime.Spawn(body)).ok());
    }
  }
  EXPECT_EQ(token.use_count(), 1);
  for (const JoinHandle<void>& handle : handles) EXPECT_TRUE(handle.finished());
}

// Threads wake and abort pinned tasks while their home goes down.
TEST_P(SpawnLocalTest, WakesAndAbortsRaceWithTheEnd) {
  for (int round = 0; round < 50; ++round) {
    std::optional<Runtime> runtime(MakeRuntime(std::get<0>(GetParam())));
    auto oneshot = std::make_shared<Oneshot>();
    std::atomic<bool> go{false};
    std::thread other;
    auto body = [&]() -> Async<> {
      JoinHandle<void> waits = SpawnLocal([oneshot]() -> Async<> {
        Pinned pinned;
        static_cast<void>(co_await oneshot->Wait());
        pinned.Check();
        co_await PendingForever<void>();
      });
      JoinHandle<void> sleeps = SpawnLocal([]() -> Async<> {
        Pinned pinned;
        co_await PendingForever<void>();
      });
      co_await YieldNow();
      other = std::thread([&go, oneshot, abort = sleeps.abort_handle()] {
        while (!go.load()) std::this_thread::yield();
        oneshot->Set(1);
        abort.Abort();
      });
      go.store(true);
    };
    if (std::get<1>(GetParam()) == Place::kBlockOn) {
      runtime->BlockOn(body);
    } else {
      EXPECT_TRUE(runtime->BlockOn(runtime->Spawn(body)).ok());
    }
    runtime.reset();
    other.join();
  }
}

TEST_P(SpawnLocalTest, RunWaitsForThem) {
  std::atomic<bool> ended{false};
  if (std::get<1>(GetParam()) == Place::kBlockOn) return;  // its tasks end with it
  runtime_
      .Spawn([&ended]() -> Async<> {
        SpawnLocal([&ended]() -> Async<> {
          co_await Sleep(absl::Milliseconds(2));
          ended.store(true);
        }).Detach();
        co_return;
      })
      .Detach();
  runtime_.Run();
  EXPECT_TRUE(ended.load());
  EXPECT_EQ(runtime_.Metrics().tasks_alive, 0u);
}

std::string NameOf(const ::testing::TestParamInfo<std::tuple<Flavour, Place>>& param) {
  constexpr const char* kFlavours[] = {"CurrentThread", "OneWorker", "TwoWorkers", "FourWorkers"};
  return std::string(kFlavours[static_cast<int>(std::get<0>(param.param))]) +
         (std::get<1>(param.param) == Place::kBlockOn ? "InBlockOn" : "InATask");
}

INSTANTIATE_TEST_SUITE_P(
    Flavours, SpawnLocalTest,
    ::testing::Combine(::testing::Values(Flavour::kCurrentThread, Flavour::kOneWorker,
                                         Flavour::kTwoWorkers, Flavour::kFourWorkers),
                       ::testing::Values(Place::kBlockOn, Place::kTask)),
    NameOf);

TEST(SpawnLocalSimulatedTest, TheSeedDecidesTheirOrderToo) {
  const auto order = [](std::uint64_t seed) {
    Runtime runtime = Runtime::Simulated(seed);
    auto token = std::make_shared<int>(0);
    std::vector<int> log = runtime.BlockOn([token]() -> Async<std::vector<int>> {
      auto shared = std::make_shared<std::vector<int>>();
      std::vector<JoinHandle<void>> handles;
      for (int i = 0; i < 6; ++i) {
        auto body = [shared, i]() -> Async<> {
          co_await Sleep(absl::Hours(i % 2));
          co_await YieldNow();
          shared->push_back(i);
        };
        handles.push_back(i % 3 == 0 ? Spawn(body) : SpawnLocal(body));
      }
      // Left behind in every state.
      SpawnLocal([token]() -> Async<> { co_await PendingForever<void>(); }).Detach();
      for (JoinHandle<void>& handle : handles) static_cast<void>(co_await handle);
      SpawnLocal([token]() -> Async<> { co_return; }).Detach();
      co_return *shared;
    });
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(log.size(), 6u);
    return log;
  };
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(order(seed), order(seed));
    orders.insert(order(seed));
  }
  EXPECT_GT(orders.size(), 5u);
}

TEST(SpawnLocalDeathTest, OnAThreadThatRunsNoTasksIsNamed) {
  EXPECT_DEATH(SpawnLocal(Ready()).Detach(),
               "SpawnLocal was called on a thread that runs no tasks");
  EXPECT_DEATH(
      {
        Runtime runtime = MakeRuntime(Flavour::kOneWorker);
        static_cast<void>(
            runtime.BlockOn(runtime.SpawnBlocking([] { SpawnLocal(Ready()).Detach(); })));
      },
      "SpawnLocal was called on a thread that runs no tasks");
}

}  // namespace
}  // namespace home
