// The simulated flavour: what its seed decides, what it repeats, how it ends badly.

#include "home/scheduler/simulation.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Oneshot;
using ::testing::UnorderedElementsAre;

Runtime Simulated(SimulationOptions options) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().Simulated(std::move(options)).Build();
  EXPECT_TRUE(runtime.ok()) << runtime.status();
  return *std::move(runtime);
}

// Appends lines to `text`.
auto AppendTo(std::string& text) {
  return [&text](std::string_view line) { text.append(line).append("\n"); };
}

// The different results of `run(seed)` under so many seeds.
template <typename Run>
auto Outcomes(std::uint64_t seeds, Run run) {
  std::set<decltype(run(std::uint64_t{0}))> outcomes;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) outcomes.insert(run(seed));
  return outcomes;
}

// A bit of everything that a seed decides.
Async<> Everything() {
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 5; ++i) {
    handles.push_back(Spawn(
        [i]() -> Async<> {
          for (int round = 0; round < i; ++round) {
            co_await YieldNow();
            co_await Sleep(absl::Milliseconds(i % 2));
            auto race = Select(Sleep(absl::Milliseconds(2)), Sleep(absl::Milliseconds(2)));
            const auto winner = co_await race;
            if (winner.index() == 0) co_await YieldNow();
          }
          JoinHandle<int> closure = SpawnBlocking([i] { return i; }, "closure");
          const absl::StatusOr<int> value = co_await closure;
          EXPECT_EQ(*value, i);
        },
        "worker"));
  }
  JoinHandle<void> endless = Spawn(PendingForever<void>());
  for (JoinHandle<void>& handle : handles) EXPECT_TRUE((co_await handle).ok());
  endless.Abort();
  EXPECT_TRUE(absl::IsCancelled(co_await endless));
}

std::string TraceOf(SimulationOptions options) {
  std::string text;
  options.trace = AppendTo(text);
  Runtime runtime = Simulated(std::move(options));
  runtime.BlockOn(Everything);
  return text;
}

TEST(SimulationTest, TheSameSeedGivesTheSameTrace) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string first = TraceOf({.seed = seed});
    // Tasks and random numbers of others change nothing.
    Runtime::Simulated(seed + 1).BlockOn(Everything);
    EXPECT_EQ(TraceOf({.seed = seed}), first) << "seed " << seed;
  }
}

TEST(SimulationTest, OtherSeedsGiveOtherTraces) {
  EXPECT_EQ(Outcomes(50, [](std::uint64_t seed) { return TraceOf({.seed = seed}); }).size(), 50u);
}

TEST(SimulationTest, TheTraceTellsWhatHappened) {
  const std::string trace =
      TraceOf({.seed = 3, .strategy = SimulationStrategy::kRandom, .spurious_interval = 0});
  EXPECT_THAT(trace, HasSubstr("seed 3, random steps, no spurious polls\n"));
  EXPECT_THAT(trace, HasSubstr("\n1 0.000 main poll\n1 0.000 t0 spawn simulation_test.cc:"));
  EXPECT_THAT(trace, HasSubstr(" worker\n"));
  EXPECT_THAT(trace, HasSubstr(" t4 poll\n"));
  EXPECT_THAT(trace, HasSubstr(" t3 yield\n"));
  EXPECT_THAT(trace, HasSubstr(" timer of t1\n"));
  EXPECT_THAT(trace, HasSubstr(" c0 spawn simulation_test.cc:"));
  EXPECT_THAT(trace, HasSubstr(" c0 run\n"));
  EXPECT_THAT(trace, HasSubstr(" c0 end\n"));
  EXPECT_THAT(trace, HasSubstr(" t5 end\n"));
  EXPECT_THAT(trace, HasSubstr(" main end\n"));
  EXPECT_THAT(trace, Not(HasSubstr("spurious\n")));
}

class SimulationStrategyTest : public ::testing::TestWithParam<SimulationStrategy> {};

TEST_P(SimulationStrategyTest, ReadyTasksRunInEveryOrder) {
  const auto orders = Outcomes(200, [](std::uint64_t seed) {
    std::string order;
    Simulated({.seed = seed, .strategy = GetParam()}).BlockOn([&order]() -> Async<> {
      std::vector<JoinHandle<void>> handles;
      for (const char name : {'a', 'b', 'c'}) {
        handles.push_back(Spawn([&order, name]() -> Async<> {
          order += name;
          co_return;
        }));
      }
      for (JoinHandle<void>& handle : handles) EXPECT_TRUE((co_await handle).ok());
    });
    return order;
  });
  EXPECT_THAT(orders, UnorderedElementsAre("abc", "acb", "bac", "bca", "cab", "cba"));
}

// A task that waits in a loop for another must not keep it from running.
TEST_P(SimulationStrategyTest, NobodyIsStarvedByATaskThatYields) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Simulated({.seed = seed, .strategy = GetParam()}).BlockOn([]() -> Async<> {
      bool done = false;
      JoinHandle<void> waits = Spawn([&done]() -> Async<> {
        while (!done) co_await YieldNow();
      });
      JoinHandle<void> sets = Spawn([&done]() -> Async<> {
        for (int i = 0; i < 10; ++i) co_await YieldNow();
        done = true;
      });
      EXPECT_TRUE((co_await waits).ok());
      EXPECT_TRUE((co_await sets).ok());
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, SimulationStrategyTest,
                         ::testing::Values(SimulationStrategy::kRandom,
                                           SimulationStrategy::kPriorities),
                         [](const ::testing::TestParamInfo<SimulationStrategy>& param) {
                           return param.param == SimulationStrategy::kRandom ? "Random"
                                                                             : "Priorities";
                         });

TEST(SimulationTest, TimeLeapsToTheNextDeadline) {
  Runtime runtime = Runtime::Simulated(1);
  runtime.BlockOn([]() -> Async<> {
    const Instant start = TimerService::Current()->Now();
    co_await Sleep(absl::Hours(24 * 365));
    EXPECT_EQ(TimerService::Current()->Now() - start, absl::Hours(24 * 365));
    for (int i = 0; i < 100; ++i) co_await YieldNow();
    EXPECT_EQ(TimerService::Current()->Now() - start, absl::Hours(24 * 365));
  });
}

// Time would stand still as long as somebody is ready.
TEST(SimulationTest, ATaskThatYieldsUntilATimerFiresComesToItsEnd) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Runtime::Simulated(seed).BlockOn([]() -> Async<> {
      bool fired = false;
      JoinHandle<void> timer = Spawn([&fired]() -> Async<> {
        co_await Sleep(absl::Milliseconds(5));
        fired = true;
      });
      while (!fired) co_await YieldNow();
      EXPECT_TRUE((co_await timer).ok());
    });
  }
}

TEST(SimulationTest, TimersThatCoincideFireInEitherOrder) {
  const auto orders = Outcomes(100, [](std::uint64_t seed) {
    std::string order;
    Runtime::Simulated(seed).BlockOn([&order]() -> Async<> {
      JoinHandle<void> a = Spawn([&order]() -> Async<> {
        co_await Sleep(absl::Milliseconds(5));
        order += 'a';
      });
      JoinHandle<void> b = Spawn([&order]() -> Async<> {
        co_await Sleep(absl::Milliseconds(5));
        order += 'b';
      });
      EXPECT_TRUE((co_await a).ok());
      EXPECT_TRUE((co_await b).ok());
    });
    return order;
  });
  EXPECT_THAT(orders, UnorderedElementsAre("ab", "ba"));
}

// At one moment a timer wakes a task, and another task sends it a value.
TEST(SimulationTest, ATimerAndAWakeComeInEitherOrder) {
  const auto winners = Outcomes(100, [](std::uint64_t seed) {
    return Runtime::Simulated(seed).BlockOn([]() -> Async<std::size_t> {
      auto oneshot = std::make_shared<Oneshot>();
      JoinHandle<void> sender = Spawn([oneshot]() -> Async<> {
        co_await Sleep(absl::Milliseconds(5));
        oneshot->Set(1);
      });
      auto race = SelectBiased(oneshot->Wait(), Sleep(absl::Milliseconds(5)));
      const auto winner = co_await race;
      EXPECT_TRUE((co_await sender).ok());
      co_return winner.index();
    });
  });
  EXPECT_THAT(winners, UnorderedElementsAre(0u, 1u));
}

TEST(SimulationTest, TheSeedDecidesARaceInASelect) {
  const auto winner = [](std::uint64_t seed) {
    return Runtime::Simulated(seed).BlockOn(Select(Ready(1), Ready(2))).index();
  };
  EXPECT_THAT(Outcomes(100, winner), UnorderedElementsAre(0u, 1u));
  for (std::uint64_t seed = 0; seed < 100; ++seed) EXPECT_EQ(winner(seed), winner(seed));
}

TEST(SimulationTest, ABlockingClosureTakesVirtualTime) {
  const auto here = std::this_thread::get_id();
  const auto winners = Outcomes(100, [here](std::uint64_t seed) {
    return Runtime::Simulated(seed).BlockOn([here]() -> Async<std::size_t> {
      JoinHandle<bool> closure =
          SpawnBlocking([here] { return std::this_thread::get_id() == here; });
      auto race = Select(std::move(closure), Sleep(absl::Milliseconds(5)));
      const auto winner = co_await race;
      if (winner.index() == 0) {
        EXPECT_TRUE(*std::get<0>(winner));
      }
      co_return winner.index();
    });
  });
  EXPECT_THAT(winners, UnorderedElementsAre(0u, 1u));
  Simulated({.seed = 1, .max_blocking_time = absl::ZeroDuration()}).BlockOn([]() -> Async<> {
    const Instant start = TimerService::Current()->Now();
    JoinHandle<void> closure = SpawnBlocking([] {});
    EXPECT_TRUE((co_await closure).ok());
    EXPECT_EQ(TimerService::Current()->Now(), start);
  });
}

TEST(SimulationTest, FuturesArePolledThoughNobodyWokeThem) {
  const auto polls = [](std::uint32_t interval) {
    return Simulated({.seed = 1, .spurious_interval = interval}).BlockOn([]() -> Async<int> {
      int count = 0;
      JoinHandle<void> waits = Spawn(PollFn([&count](Context&) -> Poll<void> {
        ++count;
        return kPending;
      }));
      for (int i = 0; i < 100; ++i) co_await YieldNow();
      waits.Abort();
      EXPECT_TRUE(absl::IsCancelled(co_await waits));
      co_return count;
    });
  };
  EXPECT_EQ(polls(0), 1);
  EXPECT_GT(polls(4), 5);
}

TEST(SimulationTest, ATaskIsMadeToYieldByASmallBudget) {
  const auto others_turn = Outcomes(100, [](std::uint64_t seed) {
    return Runtime::Simulated(seed).BlockOn([]() -> Async<int> {
      int steps = 0;
      int seen = 0;
      JoinHandle<void> greedy = Spawn([&steps]() -> Async<> {
        for (; steps < 10; ++steps) co_await Sleep(absl::ZeroDuration());
      });
      JoinHandle<void> other = Spawn([&steps, &seen]() -> Async<> {
        seen = steps;
        co_return;
      });
      EXPECT_TRUE((co_await greedy).ok());
      EXPECT_TRUE((co_await other).ok());
      co_return seen;
    });
  });
  EXPECT_GT(others_turn.size(), 3u);
}

TEST(SimulationTest, TasksLiveOnBetweenBlockOns) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Runtime runtime = Runtime::Simulated(seed);
    int steps = 0;
    JoinHandle<void> task = runtime.Spawn([&steps]() -> Async<> {
      for (; steps < 20; ++steps) co_await Sleep(absl::Milliseconds(steps % 2));
    });
    JoinHandle<int> closure = runtime.SpawnBlocking([] { return 7; });
    for (int i = 0; i < 5; ++i) runtime.BlockOn(YieldNow());
    runtime.BlockOn(Sleep(absl::Milliseconds(3)));
    EXPECT_TRUE(runtime.BlockOn(std::move(task)).ok());
    EXPECT_EQ(steps, 20);
    EXPECT_EQ(*runtime.BlockOn(std::move(closure)), 7);
  }
}

TEST(SimulationTest, ItsEndCancelsTasksAndClosures) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto token = std::make_shared<int>(0);
    std::optional<Handle> handle;
    std::optional<JoinHandle<void>> task;
    std::optional<JoinHandle<void>> closure;
    {
      Runtime runtime = Runtime::Simulated(seed);
      handle = runtime.handle();
      for (int i = 0; i < 3; ++i) {
        runtime
            .Spawn([token]() -> Async<> {
              const std::shared_ptr<int> held = token;
              while (true) co_await YieldNow();
            })
            .Detach();
      }
      runtime.BlockOn([]() -> Async<> {
        for (int i = 0; i < 5; ++i) co_await YieldNow();
      });
      task = runtime.Spawn([token]() -> Async<> { co_await Sleep(absl::Hours(1)); });
      closure = runtime.SpawnBlocking([token] { ADD_FAILURE() << "it was not to run"; });
    }
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(task->status(), TaskStatus::kCancelled);
    EXPECT_EQ(closure->status(), TaskStatus::kCancelled);
    EXPECT_EQ(handle->Spawn(Ready(1)).status(), TaskStatus::kCancelled);
    EXPECT_EQ(handle->SpawnBlocking([] {}).status(), TaskStatus::kCancelled);
  }
}

TEST(SimulationTest, AnExceptionOfTheMainFutureLeavesARuntimeThatWorks) {
  Runtime runtime = Runtime::Simulated(1);
  EXPECT_THROW(runtime.BlockOn([]() -> Async<> {
    co_await YieldNow();
    throw std::runtime_error("from the main future");
  }),
               std::runtime_error);
  EXPECT_EQ(*runtime.BlockOn(runtime.Spawn(Ready(1))), 1);
}

TEST(SimulationTest, MetricsCountAsElsewhere) {
  Runtime runtime = Simulated({.seed = 1, .spurious_interval = 0});
  runtime.BlockOn([]() -> Async<> {
    for (int i = 0; i < 10; ++i) {
      JoinHandle<void> handle = Spawn(Ready());
      EXPECT_TRUE((co_await handle).ok());
    }
  });
  const RuntimeMetrics metrics = runtime.Metrics();
  EXPECT_EQ(metrics.tasks_spawned, 10u);
  EXPECT_EQ(metrics.tasks_completed, 10u);
  EXPECT_EQ(metrics.total.polls, 10u);
}

TEST(SimulationTest, RealDescriptorsAreRefused) {
  Runtime::Simulated(1).BlockOn([]() -> Async<> {
    const absl::Status refused = Reactor::Current()->Register(0, Interest::Read()).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("a simulated runtime has no real I/O"));
    co_return;
  });
}

TEST(SimulationTest, OptionsThatMakeNoSenseAreRefused) {
  const PausedClock clock;
  EXPECT_TRUE(absl::IsInvalidArgument(
      RuntimeBuilder().Simulated({.seed = 1}).WithClock(&clock).Build().status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      RuntimeBuilder().Simulated({.max_blocking_time = -absl::Seconds(1)}).Build().status()));
  EXPECT_TRUE(
      RuntimeBuilder().Simulated({.seed = 1}).CurrentThread().WithClock(&clock).Build().ok());
}

TEST(SimulationDeathTest, ADeadlockNamesTheTasksThatWait) {
  EXPECT_DEATH(Runtime::Simulated(42).BlockOn([]() -> Async<> {
    Oneshot never;
    JoinHandle<int> first = Spawn(never.Wait(), "the one that waits");
    JoinHandle<void> second = Spawn(PendingForever<void>());
    co_await Sleep(absl::Milliseconds(3));
    static_cast<void>(co_await first);
  }),
               AllOf(ContainsRegex("simulation with seed 42, step .+ at 3.000 ms: deadlock: "),
                     ContainsRegex("\n  t0 simulation_test.cc:.+ the one that waits, waits for .+\n"
                                   "  t1 simulation_test.cc:.+, waits for .*PendingForever")));
}

TEST(SimulationDeathTest, AnEndlessRunIsEndedByItsSteps) {
  EXPECT_DEATH(Simulated({.seed = 1, .max_steps = 1000}).BlockOn([]() -> Async<> {
    while (true) co_await Sleep(absl::Milliseconds(1));
  }),
               "more steps than max_steps allows. There are no tasks");
}

}  // namespace
}  // namespace home
