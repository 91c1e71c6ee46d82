// Programs on the runtime that need no real I/O: tasks, groups, timers, streams and events
// together. Each runs under every flavour, and holds under any schedule;
// scenarios_simulation_test runs the same under many seeds.

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/futures_unordered.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/shared_future.h"
#include "home/future/stream.h"
#include "home/future/stream_buffered.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/hedge.h"
#include "home/timer/rate_limit.h"
#include "home/timer/retry.h"

namespace home {
namespace {

using testing::Flavour;

class ScenarioTest : public ::testing::TestWithParam<Flavour> {
 protected:
  ScenarioTest() : runtime_(testing::MakeRuntime(GetParam())) {}
  Runtime runtime_;
};

constexpr absl::Duration kShort = absl::Milliseconds(1);

// Counts how many of it are alive.
class Alive {
 public:
  explicit Alive(std::atomic<int>& count) : count_(&count) { count_->fetch_add(1); }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { count_->fetch_sub(1); }

 private:
  std::atomic<int>* count_;
};

// A queue with one consumer, which waits on an Event.
class Mailbox {
 public:
  void Put(int item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(item);
    }
    filled_.Set();
  }
  // Dropping it loses nothing: an item is taken in the poll that yields it.
  Async<int> Take() {
    while (true) {
      if (std::optional<int> item = TryTake()) co_return *item;
      co_await filled_.Wait();
    }
  }
  std::optional<int> TryTake() {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) {
      // Under the lock, so that no Put() comes in between.
      filled_.Reset();
      return std::nullopt;
    }
    const int item = items_.front();
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::deque<int> items_;
  Event filled_;
};

// -- Tasks ----------------------------------------------------------------------------------

TEST_P(ScenarioTest, AJoinSetGivesTheOutcomeOfEveryTask) {
  runtime_.BlockOn([]() -> Async<> {
    JoinSet<int> set;
    for (int i = 0; i < 30; ++i) {
      set.Spawn([i]() -> Async<int> {
        if (i % 3 == 0) co_await Sleep(kShort * (i % 5));
        if (i % 3 == 1) co_await YieldNow();
        co_return i;
      });
    }
    std::set<int> seen;
    while (true) {
      std::optional<absl::StatusOr<int>> one = co_await set.JoinNext();
      if (!one) break;
      EXPECT_TRUE(seen.insert(**one).second);
    }
    EXPECT_EQ(seen.size(), 30u);
  });
}

TEST_P(ScenarioTest, AbortedTasksEndOnceAndGiveTheirLocalsBack) {
  std::atomic<int> alive{0};
  runtime_.BlockOn([&alive]() -> Async<> {
    JoinSet<void> set;
    for (int i = 0; i < 20; ++i) {
      set.Spawn([&alive, i]() -> Async<> {
        const Alive one(alive);
        for (int round = 0; round < i; ++round) co_await YieldNow();
        co_await Sleep(absl::Hours(1));
      });
    }
    for (int i = 0; i < 5; ++i) co_await YieldNow();
    set.AbortAll();
    int ended = 0;
    while (true) {
      std::optional<absl::Status> one = co_await set.JoinNext();
      if (!one) break;
      EXPECT_TRUE(absl::IsCancelled(*one));
      ++ended;
    }
    EXPECT_EQ(ended, 20);
    EXPECT_EQ(alive.load(), 0);
  });
}

TEST_P(ScenarioTest, ADroppedGroupLeavesNoChild) {
  std::atomic<int> alive{0};
  runtime_.BlockOn([&alive]() -> Async<> {
    for (int round = 0; round < 10; ++round) {
      // What the children borrow goes with this iteration.
      std::vector<int> lent(8);
      auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<> {
        for (std::size_t i = 0; i < lent.size(); ++i) {
          group.Spawn([&, i]() -> Async<> {
            const Alive one(alive);
            while (true) {
              ++lent[i];
              if (i % 2 == 0) co_await YieldNow();
              if (i % 2 == 1) co_await Sleep(kShort);
            }
          });
        }
        co_await PendingForever<void>();
      });
      auto limited = Timeout(std::move(scope), kShort * (round % 3));
      const absl::Status status = co_await limited;
      EXPECT_TRUE(absl::IsDeadlineExceeded(status));
      EXPECT_EQ(alive.load(), 0);
    }
  });
}

TEST_P(ScenarioTest, TheFirstErrorOfAGroupCancelsItsNestedGroups) {
  std::atomic<int> alive{0};
  const absl::Status status = runtime_.BlockOn([&alive]() -> Async<absl::Status> {
    auto outer = WithTaskGroup([&alive](TaskGroup& group) -> Async<absl::Status> {
      group.Spawn([&alive]() -> Async<absl::Status> {
        auto inner = WithTaskGroup([&alive](TaskGroup& nested) -> Async<absl::Status> {
          for (int i = 0; i < 4; ++i) {
            nested.Spawn([&alive]() -> Async<> {
              const Alive one(alive);
              co_await Sleep(absl::Hours(1));
            });
          }
          co_return absl::OkStatus();
        });
        co_return co_await inner;
      });
      group.Spawn([]() -> Async<absl::Status> {
        co_await Sleep(kShort);
        co_return absl::DataLossError("the first");
      });
      co_return absl::OkStatus();
    });
    co_return co_await outer;
  });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(alive.load(), 0);
}

TEST_P(ScenarioTest, BlockingClosuresAndTasksMeet) {
  const int sum = runtime_.BlockOn([]() -> Async<int> {
    std::vector<JoinHandle<int>> closures;
    for (int i = 0; i < 10; ++i) {
      closures.push_back(SpawnBlocking([i] { return i; }));
      co_await Sleep(kShort * (i % 2));
    }
    int total = 0;
    for (JoinHandle<int>& closure : closures) {
      const absl::StatusOr<int> one = co_await closure;
      total += *one;
    }
    co_return total;
  });
  EXPECT_EQ(sum, 45);
}

TEST_P(ScenarioTest, BlockingWorkAndTasksTakeTurns) {
  const int total = runtime_.BlockOn([]() -> Async<int> {
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
      auto squared = SpawnBlocking([i] { return i * i; });
      const absl::StatusOr<int> square = co_await std::move(squared);
      sum += *square;
    }
    co_return sum;
  });
  EXPECT_EQ(total, 328350);
}

constinit TaskLocal<int> scenario_local;

TEST_P(ScenarioTest, TaskLocalsStayWithTheirTasks) {
  runtime_.BlockOn([]() -> Async<> {
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(Spawn(scenario_local.Scope(i, [i]() -> Async<> {
        for (int round = 0; round < 5; ++round) {
          EXPECT_EQ(*scenario_local.Get(), i);
          co_await YieldNow();
        }
      })));
    }
    for (JoinHandle<void>& task : tasks) EXPECT_TRUE((co_await task).ok());
  });
}

// -- Events and races -------------------------------------------------------------------------

TEST_P(ScenarioTest, TwoTasksTakeTurnsByEvents) {
  runtime_.BlockOn([]() -> Async<> {
    struct Table {
      Event turn[2];
      std::vector<int> log;
    } table;
    const auto player = [](Table& shared, int me) -> Async<> {
      for (int round = 0; round < 20; ++round) {
        co_await shared.turn[me].Wait();
        shared.turn[me].Reset();
        shared.log.push_back(me);
        shared.turn[1 - me].Set();
      }
    };
    JoinHandle<void> first = Spawn(player(table, 0));
    JoinHandle<void> second = Spawn(player(table, 1));
    table.turn[0].Set();
    EXPECT_TRUE((co_await first).ok());
    EXPECT_TRUE((co_await second).ok());
    EXPECT_EQ(table.log.size(), 40u);
    for (std::size_t i = 0; i < table.log.size(); ++i) {
      EXPECT_EQ(table.log[i], static_cast<int>(i % 2));
    }
  });
}

TEST_P(ScenarioTest, SetReleasesEverybodyWhoWaits) {
  runtime_.BlockOn([]() -> Async<> {
    Event start;
    std::atomic<int> started{0};
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 20; ++i) {
      tasks.push_back(Spawn([&start, &started]() -> Async<> {
        co_await start.Wait();
        started.fetch_add(1);
      }));
    }
    co_await YieldNow();
    start.Set();
    for (JoinHandle<void>& task : tasks) EXPECT_TRUE((co_await task).ok());
    EXPECT_EQ(started.load(), 20);
  });
}

// A take that loses its race is dropped and made anew.
TEST_P(ScenarioTest, ASelectLoopLosesNoItem) {
  runtime_.BlockOn([]() -> Async<> {
    constexpr int kProducers = 3;
    constexpr int kItems = 10;
    Mailbox mailbox;
    Event stop;
    std::vector<JoinHandle<void>> producers;
    for (int producer = 0; producer < kProducers; ++producer) {
      producers.push_back(Spawn([&mailbox, producer]() -> Async<> {
        for (int i = 0; i < kItems; ++i) {
          mailbox.Put(producer * kItems + i);
          if (i % 2 == 0) co_await YieldNow();
          if (i % 5 == 0) co_await Sleep(kShort);
        }
      }));
    }
    JoinHandle<std::set<int>> consumer = Spawn([&mailbox, &stop]() -> Async<std::set<int>> {
      std::set<int> seen;
      while (true) {
        auto race = SelectBiased(mailbox.Take(), Sleep(kShort), stop.WaitBeside());
        const auto winner = co_await race;
        if (winner.index() == 0) {
          EXPECT_TRUE(seen.insert(std::get<0>(winner)).second);
        }
        if (winner.index() != 2) continue;
        // All is there now, but the take was asked before the end was, and maybe before the last
        // items came.
        while (const std::optional<int> item = mailbox.TryTake()) {
          EXPECT_TRUE(seen.insert(*item).second);
        }
        co_return seen;
      }
    });
    for (JoinHandle<void>& producer : producers) EXPECT_TRUE((co_await producer).ok());
    stop.Set();
    const absl::StatusOr<std::set<int>> seen = co_await consumer;
    EXPECT_EQ(seen->size(), static_cast<std::size_t>(kProducers * kItems));
  });
}

TEST_P(ScenarioTest, TheLosersOfARaceAreGoneWhenItsWinnerIsThere) {
  std::atomic<int> alive{0};
  runtime_.BlockOn([&alive]() -> Async<> {
    const auto runner = [&alive](int pace) -> Async<int> {
      const Alive one(alive);
      for (int i = 0; i < 3; ++i) co_await Sleep(kShort * pace);
      co_return pace;
    };
    for (int round = 0; round < 5; ++round) {
      auto race = Race(runner(1), runner(1), runner(2));
      const int winner = co_await race;
      EXPECT_GE(winner, 1);
      EXPECT_EQ(alive.load(), 0);
    }
  });
}

TEST_P(ScenarioTest, TryJoinYieldsAllOrTheFirstError) {
  runtime_.BlockOn([]() -> Async<> {
    const auto after = [](absl::Duration time,
                          absl::StatusOr<int> result) -> Async<absl::StatusOr<int>> {
      co_await Sleep(time);
      co_return result;
    };
    auto good = TryJoin(after(kShort, 1), after(kShort * 2, 2));
    const absl::StatusOr<std::tuple<int, int>> both = co_await good;
    EXPECT_EQ(*both, std::tuple(1, 2));
    auto bad = TryJoin(after(absl::Hours(1), 1), after(kShort, absl::DataLossError("bad")));
    const absl::StatusOr<std::tuple<int, int>> error = co_await bad;
    EXPECT_TRUE(absl::IsDataLoss(error.status()));
  });
}

TEST_P(ScenarioTest, ManyFuturesInOneTaskAreAllPolledToTheirEnd) {
  runtime_.BlockOn([]() -> Async<> {
    const auto steps = [](int i) -> Async<int> {
      for (int round = 0; round < i % 4; ++round) co_await YieldNow();
      if (i % 3 == 0) co_await Sleep(kShort * (i % 5));
      JoinHandle<int> task = Spawn(Ready(i));
      const absl::StatusOr<int> value = co_await task;
      co_return *value;
    };
    FuturesUnordered<Async<int>> unordered;
    for (int i = 0; i < 20; ++i) unordered.Push(steps(i));
    std::set<int> seen;
    while (true) {
      std::optional<int> one = co_await Next(unordered);
      if (!one) break;
      EXPECT_TRUE(seen.insert(*one).second);
    }
    EXPECT_EQ(seen.size(), 20u);
    std::vector<Async<int>> joined;
    for (int i = 0; i < 20; ++i) joined.push_back(steps(i));
    auto all = JoinAll(std::move(joined));
    const std::vector<int> values = co_await all;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], i);
  });
}

// The copy that polls the shared future may go at any moment.
TEST_P(ScenarioTest, ASharedFutureReachesEveryCopyThatStays) {
  runtime_.BlockOn([]() -> Async<> {
    std::atomic<int> runs{0};
    auto shared = Shared([](std::atomic<int>& counter) -> Async<int> {
      counter.fetch_add(1);
      for (int i = 0; i < 3; ++i) co_await Sleep(kShort);
      co_return 7;
    }(runs));
    std::vector<JoinHandle<absl::StatusOr<int>>> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(Spawn(Timeout(SharedFuture(shared), i % 2 == 0 ? kShort : absl::Hours(1))));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const absl::StatusOr<int> value = co_await tasks[i];
      if (value.ok()) {
        EXPECT_EQ(*value, 7);
      } else {
        EXPECT_EQ(i % 2, 0u);
        EXPECT_TRUE(absl::IsDeadlineExceeded(value.status()));
      }
    }
    EXPECT_EQ(runs.load(), 1);
  });
}

// -- Streams ------------------------------------------------------------------------------------

AsyncGenerator<int> CountTo(int limit) {
  for (int i = 0; i < limit; ++i) {
    if (i % 3 == 0) co_await YieldNow();
    if (i % 5 == 0) co_await Sleep(kShort);
    co_yield int{i};
  }
}

TEST_P(ScenarioTest, ABufferedStreamKeepsOrderAndLimit) {
  runtime_.BlockOn([]() -> Async<> {
    std::atomic<int> alive{0};
    const auto work = [&alive](int i) -> Async<int> {
      const Alive one(alive);
      EXPECT_LE(alive.load(), 4);
      co_await Sleep(kShort * (i % 3));
      co_return i* i;
    };
    auto collect = CountTo(20) | Map(work) | Buffered(4) | Collect();
    const std::vector<int> squares = co_await collect;
    EXPECT_EQ(squares.size(), 20u);
    for (std::size_t i = 0; i < squares.size(); ++i) {
      EXPECT_EQ(squares[i], static_cast<int>(i * i));
    }
  });
}

// -- Time ---------------------------------------------------------------------------------------

Instant Now() { return TimerService::Current()->Now(); }

TEST_P(ScenarioTest, ATimeoutYieldsTheResultOrCancels) {
  std::atomic<int> alive{0};
  runtime_.BlockOn([&alive]() -> Async<> {
    const auto work = [&alive](absl::Duration time) -> Async<int> {
      const Alive one(alive);
      co_await Sleep(time);
      co_return 1;
    };
    for (int i = 0; i < 5; ++i) {
      const Instant start = Now();
      auto slow = Timeout(work(absl::Hours(1)), kShort * i);
      const absl::StatusOr<int> late = co_await slow;
      EXPECT_TRUE(absl::IsDeadlineExceeded(late.status()));
      EXPECT_GE(Now() - start, kShort * i);
      EXPECT_EQ(alive.load(), 0);
      auto quick = Timeout(work(kShort * i), absl::Hours(1));
      const absl::StatusOr<int> value = co_await quick;
      EXPECT_EQ(value.value_or(0), 1);
      // Either, but whole.
      auto close = Timeout(work(kShort), kShort);
      const absl::StatusOr<int> either = co_await close;
      EXPECT_TRUE(either.ok() || absl::IsDeadlineExceeded(either.status()));
      EXPECT_EQ(alive.load(), 0);
    }
  });
}

TEST_P(ScenarioTest, ARetryMakesOneAttemptAfterTheOther) {
  runtime_.BlockOn([]() -> Async<> {
    std::atomic<int> alive{0};
    int attempts = 0;
    const auto attempt = [&]() -> Async<absl::StatusOr<int>> {
      const Alive one(alive);
      EXPECT_EQ(alive.load(), 1);
      ++attempts;
      co_await YieldNow();
      if (attempts < 4) co_return absl::UnavailableError("not yet");
      co_return attempts;
    };
    const RetryPolicy policy =
        RetryPolicy().set_max_attempts(5).set_initial_backoff(kShort).set_jitter(1);
    auto retry = Retry(policy, attempt);
    const absl::StatusOr<int> value = co_await retry;
    EXPECT_EQ(value.value_or(0), 4);
    EXPECT_EQ(attempts, 4);
  });
}

TEST_P(ScenarioTest, AHedgeTakesTheFirstAnswerAndDropsTheRest) {
  runtime_.BlockOn([]() -> Async<> {
    for (int round = 0; round < 5; ++round) {
      std::atomic<int> alive{0};
      int made = 0;
      const auto attempt = [&]() -> Async<absl::StatusOr<int>> {
        const Alive one(alive);
        const int me = ++made;
        // The first is late, if not by very much.
        co_await Sleep(me == 1 ? kShort * (3 + round) : kShort);
        co_return me;
      };
      auto hedge = Hedge<3>(kShort * 2, attempt);
      const absl::StatusOr<int> winner = co_await hedge;
      EXPECT_GE(winner.value_or(0), 1);
      EXPECT_LE(winner.value_or(0), made);
      EXPECT_LE(made, 3);
      EXPECT_EQ(alive.load(), 0);
    }
  });
}

TEST_P(ScenarioTest, AnIntervalNeverTicksEarlyAndLosesNoTickToARace) {
  runtime_.BlockOn([]() -> Async<> {
    const Instant start = Now();
    Interval interval(kShort * 3);
    int ticks = 0;
    while (ticks < 5) {
      auto race = Select(interval.Tick(), Sleep(kShort));
      const auto winner = co_await race;
      if (winner.index() != 0) continue;
      ++ticks;
      EXPECT_GE(Now(), std::get<0>(winner));
      EXPECT_GE(Now() - start, kShort * 3 * ticks);
    }
  });
}

TEST_P(ScenarioTest, ARateLimiterIsNotOutrun) {
  runtime_.BlockOn([]() -> Async<> {
    constexpr int kTasks = 4;
    constexpr int kEach = 5;
    constexpr int kBurst = 3;
    RateLimiter limiter(/*per_second=*/1000, kBurst);
    const Instant start = Now();
    std::vector<JoinHandle<void>> tasks;
    for (int task = 0; task < kTasks; ++task) {
      tasks.push_back(Spawn([&limiter]() -> Async<> {
        for (int i = 0; i < kEach; ++i) co_await limiter.Acquire();
      }));
    }
    for (JoinHandle<void>& task : tasks) EXPECT_TRUE((co_await task).ok());
    EXPECT_GE(Now() - start, absl::Milliseconds(kTasks * kEach - kBurst));
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, ScenarioTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kOneWorker,
                                           Flavour::kTwoWorkers, Flavour::kFourWorkers,
                                           Flavour::kSimulated),
                         testing::FlavourName);

}  // namespace
}  // namespace home
