// A worker that sits in one poll: others run its queue, and the poll is named.

#include "home/scheduler/watchdog.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/parker/barrier_testing.h"
#include "home/reactor/fd_testing.h"
#include "home/reactor/io.h"
#include "home/reactor/reactor.h"
#include "home/reactor/unique_fd.h"
#include "home/scheduler/metrics.h"
#include "home/scheduler/poll_mark.h"
#include "home/scheduler/prometheus.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/task/task_id.h"
#include "home/task/task_info.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using scheduler_internal::PollMark;
using scheduler_internal::PollTimer;
using testing::Gate;
using Finding = scheduler_internal::PollTimer::Finding;

// -- How long a poll has taken ------------------------------------------------------------

std::optional<PollMark::View> Poll(std::uint64_t number) { return PollMark::View{number, {}}; }

TEST(PollTimerTest, ReportsAtTheThresholdAndWheneverItHasDoubled) {
  constexpr absl::Duration kLook = absl::Milliseconds(25);
  PollTimer timer(4 * kLook);
  EXPECT_EQ(timer.Look(Poll(1), kLook), Finding::kOther);
  std::vector<int> reports;
  for (int look = 1; look <= 40; ++look) {
    const Finding finding = timer.Look(Poll(1), kLook);
    EXPECT_NE(finding, Finding::kOther);
    EXPECT_EQ(timer.duration(), look * kLook);
    EXPECT_EQ(timer.reported(), look >= 4);
    if (finding == Finding::kReport) reports.push_back(look);
  }
  EXPECT_EQ(reports, (std::vector<int>{4, 8, 16, 32}));
}

TEST(PollTimerTest, OfALateLookOneReportIsMade) {
  PollTimer timer(absl::Milliseconds(4));
  EXPECT_EQ(timer.Look(Poll(1), absl::Milliseconds(1)), Finding::kOther);
  EXPECT_EQ(timer.Look(Poll(1), absl::Milliseconds(50)), Finding::kReport);
  EXPECT_EQ(timer.Look(Poll(1), absl::Milliseconds(1)), Finding::kSame);
}

TEST(PollTimerTest, AnotherPollBeginsAnew) {
  PollTimer timer(absl::Milliseconds(2));
  EXPECT_EQ(timer.Look(Poll(1), absl::Milliseconds(1)), Finding::kOther);
  EXPECT_EQ(timer.Look(Poll(1), absl::Milliseconds(2)), Finding::kReport);
  EXPECT_EQ(timer.Look(Poll(3), absl::Milliseconds(2)), Finding::kOther);
  EXPECT_FALSE(timer.reported());
  EXPECT_EQ(timer.Look(Poll(3), absl::Milliseconds(1)), Finding::kSame);
  EXPECT_EQ(timer.Look(std::nullopt, absl::Milliseconds(1)), Finding::kOther);
  EXPECT_EQ(timer.Look(std::nullopt, absl::Milliseconds(9)), Finding::kOther);
  EXPECT_EQ(timer.Look(Poll(5), absl::Milliseconds(9)), Finding::kOther);
}

// -- On a runtime ----------------------------------------------------------------------------

constexpr absl::Duration kThreshold = absl::Milliseconds(4);

RuntimeBuilder Builder(std::size_t workers) {
  return RuntimeBuilder().WorkerThreads(workers).LongPollThreshold(kThreshold);
}

// Keeps what it was told.
class Reports {
 public:
  LongPollHandler Handler() {
    return [this](const LongPoll& poll) {
      {
        const std::lock_guard lock(mutex_);
        polls_.push_back(poll);
      }
      // release: pairs with Await().
      count_.fetch_add(1, std::memory_order_release);
    };
  }
  // Blocks until there is a report.
  void Await() const { AwaitMore(0); }
  // The same, of a poll of that worker.
  void AwaitWorker(std::size_t worker) const {
    for (int seen = 0;;) {
      AwaitMore(seen);
      seen = count_.load(std::memory_order_acquire);
      for (const LongPoll& poll : polls()) {
        if (poll.worker == worker) return;
      }
    }
  }
  std::vector<LongPoll> polls() const {
    const std::lock_guard lock(mutex_);
    return polls_;
  }

 private:
  // Not by std::atomic's wait(): where g++ 12 has no futex for it, it loses wake-ups.
  void AwaitMore(int seen) const {
    while (count_.load(std::memory_order_acquire) == seen) std::this_thread::yield();
  }

  mutable std::mutex mutex_;
  std::vector<LongPoll> polls_;
  std::atomic<int> count_{0};
};

TEST(WatchdogTest, NamesThePollInReportsAndMetrics) {
  Reports reports;
  Runtime runtime = *Builder(1).OnLongPoll(reports.Handler()).Build();
  const std::uint32_t line = std::source_location::current().line() + 1;
  JoinHandle<RuntimeMetrics> handle = runtime.Spawn([&]() -> Async<RuntimeMetrics> {
    reports.Await();
    co_return RuntimeMetrics::Snapshot();
  });
  const TaskId id = handle.id();
  const RuntimeMetrics during = *runtime.BlockOn(std::move(handle));
  const LongPoll report = reports.polls().at(0);
  EXPECT_EQ(report.worker, 0u);
  EXPECT_EQ(report.task.id, id);
  EXPECT_EQ(report.task.name, nullptr);
  EXPECT_TRUE(absl::EndsWith(report.task.location.file_name(), "watchdog_test.cc"));
  EXPECT_EQ(report.task.location.line(), line);
  EXPECT_GE(report.duration, kThreshold);
  EXPECT_TRUE(report.running);

  EXPECT_EQ(during.workers[0].long_polls, 1u);
  EXPECT_EQ(during.total.long_polls, 1u);
  ASSERT_EQ(during.long_polls.size(), 1u);
  EXPECT_EQ(during.long_polls[0].task.id, id);
  EXPECT_TRUE(during.long_polls[0].running);
  EXPECT_GE(during.long_polls[0].duration, kThreshold);
  EXPECT_TRUE(
      absl::StrContains(PrometheusText(during), "home_worker_long_polls_total{worker=\"0\"} 1"));

  // It is remembered.
  while (runtime.Metrics().long_polls.at(0).running) std::this_thread::yield();
  EXPECT_EQ(runtime.Metrics().long_polls[0].task.id, id);
}

TEST(WatchdogTest, NamesPinnedTasks) {
  Reports reports;
  Runtime runtime = *Builder(1).OnLongPoll(reports.Handler()).Build();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&reports]() -> Async<> {
                    auto pinned = SpawnLocal(
                        [&reports]() -> Async<> {
                          reports.Await();
                          co_return;
                        },
                        "pinned");
                    static_cast<void>(co_await pinned);
                  }))
                  .ok());
  EXPECT_STREQ(reports.polls().at(0).task.name, "pinned");
}

// Nobody was woken for it: it was alone.
TEST(WatchdogTest, TheTaskInTheLifoSlotIsTakenOver) {
  Runtime runtime = *Builder(2).Build();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([]() -> Async<> {
                    Gate gate;
                    auto other = Spawn([&gate]() -> Async<> {
                      gate.Open();
                      co_return;
                    });
                    gate.Wait();
                    static_cast<void>(co_await other);
                  }))
                  .ok());
}

// The first of them wakes a worker, which may take it and be in a long poll itself.
TEST(WatchdogTest, TheTasksInTheDequeAreTakenOver) {
  constexpr int kTasks = 10;
  Runtime runtime = *Builder(2).Build();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([]() -> Async<> {
                    std::vector<JoinHandle<void>> others;
                    std::promise<void> all;
                    std::atomic<int> left{kTasks};
                    for (int i = 0; i < kTasks; ++i) {
                      others.push_back(Spawn([&]() -> Async<> {
                        co_await YieldNow();
                        if (left.fetch_sub(1) == 1) all.set_value();
                      }));
                    }
                    all.get_future().wait();
                    for (JoinHandle<void>& other : others) static_cast<void>(co_await other);
                  }))
                  .ok());
}

TEST(WatchdogTest, TimersGoOnBesideALongPoll) {
  Runtime runtime = *Builder(2).Build();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([]() -> Async<> {
                    for (int i = 0; i < 5; ++i) {
                      Gate gate;
                      auto other = Spawn([&gate]() -> Async<> {
                        co_await Sleep(absl::Milliseconds(1));
                        gate.Open();
                      });
                      // So that it arms its timer in this worker's shard.
                      co_await YieldNow();
                      gate.Wait();
                      static_cast<void>(co_await other);
                    }
                  }))
                  .ok());
}

// A thread that blocks in place keeps nobody from anything.
TEST(WatchdogTest, BlockingInPlaceIsNoLongPoll) {
  Reports reports;
  Runtime runtime = *Builder(1).OnLongPoll(reports.Handler()).Build();
  Gate blocked;
  Gate gate;
  JoinHandle<void> in_place = runtime.Spawn(
      [&]() -> Async<> {
        BlockInPlace([&] {
          blocked.Open();
          gate.Wait();
        });
        co_return;
      },
      "in place");
  blocked.Wait();
  JoinHandle<void> long_poll = runtime.Spawn(
      [&]() -> Async<> {
        reports.Await();
        co_return;
      },
      "long");
  EXPECT_TRUE(runtime.BlockOn(std::move(long_poll)).ok());
  gate.Open();
  EXPECT_TRUE(runtime.BlockOn(std::move(in_place)).ok());
  for (const LongPoll& poll : reports.polls()) EXPECT_STREQ(poll.task.name, "long");
}

// The runtime's end waits for such a poll, and goes on naming it.
TEST(WatchdogTest, NamesAPollThatOutlivesTheShutdown) {
  Reports reports;
  Runtime runtime = *Builder(2).OnLongPoll(reports.Handler()).Build();
  Gate begun;
  JoinHandle<void> handle = runtime.Spawn([&]() -> Async<> {
    begun.Open();
    reports.Await();
    co_return;
  });
  begun.Wait();
  static_cast<void>(runtime.ShutdownTimeout(absl::ZeroDuration()));
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  EXPECT_TRUE(other.BlockOn(std::move(handle)).ok());
}

TEST(WatchdogTest, WithoutItNothingIsCounted) {
  Runtime runtime =
      *RuntimeBuilder().WorkerThreads(1).LongPollThreshold(absl::InfiniteDuration()).Build();
  runtime.BlockOn(Ready());
  EXPECT_EQ(runtime.Metrics().total.long_polls, 0u);
  EXPECT_TRUE(runtime.Metrics().long_polls.empty());
}

TEST(WatchdogTest, AThresholdIsAtLeastAMillisecond) {
  for (const absl::Duration threshold : {absl::ZeroDuration(), absl::Microseconds(999)}) {
    const absl::Status status = RuntimeBuilder().LongPollThreshold(threshold).Build().status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_TRUE(absl::StrContains(std::string(status.message()), "LongPollThreshold")) << status;
  }
}

TEST(WatchdogTest, TheLogNamesTheTask) {
  ::testing::internal::CaptureStderr();
  const std::source_location here = std::source_location::current();
  LogLongPoll({3, TaskInfo(TaskId(17), "parser", here), absl::Milliseconds(250), true});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(log, "worker 3 has been in one poll of task 17 parser")) << log;
  EXPECT_TRUE(absl::StrContains(log, "watchdog_test.cc:" + std::to_string(here.line()))) << log;
  EXPECT_TRUE(absl::StrContains(log, "for 0.250 s or more")) << log;
}

// -- While all workers are in long polls ------------------------------------------------------

// Keeps both workers of a runtime in a poll each, from Begin() to End().
class Stuck {
 public:
  explicit Stuck(Runtime& runtime) : runtime_(runtime) {}

  void Begin() {
    for (Gate& begun : begun_) {
      polls_.push_back(runtime_.Spawn([this, &begun]() -> Async<> {
        begun.Open();
        end_.Wait();
        co_return;
      }));
    }
    for (const Gate& begun : begun_) begun.Wait();
  }
  // Any thread, once.
  void End() { end_.Open(); }
  void Await() {
    for (JoinHandle<void>& poll : polls_) EXPECT_TRUE(runtime_.BlockOn(std::move(poll)).ok());
  }

 private:
  Runtime& runtime_;
  std::array<Gate, 2> begun_;
  Gate end_;
  std::vector<JoinHandle<void>> polls_;
};

TEST(StandInTest, RunsTasksFromOutside) {
  Runtime runtime = *Builder(2).Build();
  Stuck stuck(runtime);
  stuck.Begin();
  const int answer = *runtime.BlockOn(runtime.Spawn([&]() -> Async<int> {
    // It yields, is woken, and spawns: all beside the workers.
    co_await YieldNow();
    auto other = Spawn([]() -> Async<int> {
      co_await YieldNow();
      co_return 17;
    });
    const absl::StatusOr<int> value = co_await other;
    stuck.End();
    co_return *value;
  }));
  EXPECT_EQ(answer, 17);
  stuck.Await();
  const RuntimeMetrics metrics = runtime.Metrics();
  EXPECT_GE(metrics.stand_ins, 1u);
  EXPECT_EQ(metrics.workers.size(), 2u);
  EXPECT_GE(metrics.total.long_polls, 2u);
  EXPECT_TRUE(absl::StrContains(PrometheusText(metrics), "\nhome_runtime_stand_ins_total "));
}

// Each poll waits for a task that only its own worker would run.
TEST(StandInTest, RunsTheQueuesOfTheWorkers) {
  constexpr int kTasks = 10;
  Runtime runtime = *Builder(2).Build();
  testing::Barrier both_poll(2);
  const auto poll = [&]() -> Async<> {
    both_poll.ArriveAndWait();
    std::vector<JoinHandle<void>> others;
    std::promise<void> all;
    std::atomic<int> left{kTasks};
    for (int i = 0; i < kTasks; ++i) {
      others.push_back(Spawn([&]() -> Async<> {
        co_await YieldNow();
        if (left.fetch_sub(1) == 1) all.set_value();
      }));
    }
    all.get_future().wait();
    for (JoinHandle<void>& other : others) static_cast<void>(co_await other);
  };
  JoinHandle<void> first = runtime.Spawn(poll);
  JoinHandle<void> second = runtime.Spawn(poll);
  EXPECT_TRUE(runtime.BlockOn(std::move(first)).ok());
  EXPECT_TRUE(runtime.BlockOn(std::move(second)).ok());
  EXPECT_GE(runtime.Metrics().stand_ins, 1u);
}

TEST(StandInTest, KeepsTimersGoing) {
  Runtime runtime = *Builder(2).Build();
  Stuck stuck(runtime);
  stuck.Begin();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&]() -> Async<> {
                    for (int i = 0; i < 3; ++i) co_await Sleep(absl::Milliseconds(1));
                    stuck.End();
                  }))
                  .ok());
  stuck.Await();
}

// Edges that wake tasks, and operations that end: each answer is given while it stands in.
TEST(StandInTest, ServesTheReactor) {
  for (const IoBackend backend : {IoBackend::kBest, IoBackend::kReadiness, IoBackend::kUring}) {
    reactor_internal::FdPair pair = reactor_internal::MakeSocketPair();
    const UniqueFd peer = std::move(pair.a);
    Runtime runtime = *Builder(2).Io(backend).Build();
    Stuck stuck(runtime);
    constexpr int kRounds = 3;
    JoinHandle<int> echoes = runtime.Spawn([fd = pair.b.Release()]() -> Async<int> {
      const IoFile socket = IoFile::Attach(Reactor::Current()->io(), UniqueFd(fd)).value();
      int echoed = 0;
      while (echoed < kRounds) {
        IoResult<std::string> received = co_await IoRecv(socket, std::string(1, '\0'));
        if (!received.count.ok() || *received.count != 1) break;
        const IoResult<std::string> sent = co_await IoSend(socket, std::move(received.buffer));
        if (!sent.count.ok()) break;
        ++echoed;
      }
      co_return echoed;
    });
    stuck.Begin();
    for (int i = 0; i < kRounds; ++i) {
      char byte = static_cast<char>('a' + i);
      ASSERT_EQ(reactor_internal::WriteSome(peer, &byte, 1), 1);
      byte = 0;
      while (reactor_internal::ReadSome(peer, &byte, 1) != 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      EXPECT_EQ(byte, 'a' + i);
    }
    EXPECT_EQ(*runtime.BlockOn(std::move(echoes)), kRounds);
    EXPECT_GE(runtime.Metrics().stand_ins, 1u);
    stuck.End();
    stuck.Await();
  }
}

// They are in its list, and end elsewhere, or never.
TEST(StandInTest, TasksThatItPolledFirstEndOnWorkers) {
  constexpr int kTasks = 100;
  std::vector<testing::Oneshot> values(2 * kTasks);
  std::atomic<int> begun{0};
  Runtime runtime = *Builder(2).Build();
  std::vector<JoinHandle<int>> handles;
  for (int round = 0; round < 2; ++round) {
    Stuck stuck(runtime);
    stuck.Begin();
    const auto waits = [](std::atomic<int>& polled, testing::Oneshot& value) -> Async<int> {
      polled.fetch_add(1);
      const int result = co_await value.Wait();
      co_return result;
    };
    for (int i = 0; i < kTasks; ++i) {
      handles.push_back(runtime.Spawn(waits(begun, values[handles.size()])));
    }
    while (begun.load() < (round + 1) * kTasks) std::this_thread::yield();
    stuck.End();
    stuck.Await();
    // Half of them are left to the shutdown.
    for (int i = 0; i < kTasks; i += 2) {
      const std::size_t index = static_cast<std::size_t>(round * kTasks + i);
      values[index].Set(i);
      EXPECT_EQ(*runtime.BlockOn(std::move(handles[index])), i);
    }
  }
  EXPECT_GE(runtime.Metrics().stand_ins, 1u);
}

TEST(StandInTest, PinnedTasksStayOnItsThread) {
  Runtime runtime = *Builder(2).Build();
  testing::Oneshot later;
  Gate pinned;
  Stuck stuck(runtime);
  stuck.Begin();
  JoinHandle<bool> same_thread = runtime.Spawn([&]() -> Async<bool> {
    auto local = SpawnLocal([&]() -> Async<bool> {
      const std::thread::id here = std::this_thread::get_id();
      pinned.Open();
      static_cast<void>(co_await later.Wait());
      co_return std::this_thread::get_id() == here;
    });
    const absl::StatusOr<bool> same = co_await local;
    co_return *same;
  });
  pinned.Wait();
  stuck.End();
  stuck.Await();
  later.Set(1);
  EXPECT_TRUE(*runtime.BlockOn(std::move(same_thread)));
}

TEST(StandInTest, IsNamedWhenItIsStuckItself) {
  Reports reports;
  Runtime runtime = *Builder(2).OnLongPoll(reports.Handler()).Build();
  Stuck stuck(runtime);
  stuck.Begin();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&]() -> Async<> {
                    reports.AwaitWorker(2);
                    stuck.End();
                    co_return;
                  }))
                  .ok());
  stuck.Await();
  const RuntimeMetrics metrics = runtime.Metrics();
  EXPECT_EQ(metrics.long_polls.back().worker, 2u);
  EXPECT_GE(metrics.total.long_polls, 3u);
}

// Run() ends when the last task has ended there.
TEST(StandInTest, TasksThatEndThereCount) {
  Runtime runtime = *Builder(2).Build();
  Stuck stuck(runtime);
  stuck.Begin();
  for (int i = 0; i < 10; ++i) runtime.Spawn(YieldNow()).Detach();
  runtime
      .Spawn([&stuck]() -> Async<> {
        stuck.End();
        co_await YieldNow();
      })
      .Detach();
  runtime.Run();
  EXPECT_EQ(runtime.Metrics().tasks_alive, 0u);
  stuck.Await();
}

// The shutdown waits for its poll as for those of the workers.
TEST(StandInTest, TheShutdownWaitsForIt) {
  Runtime runtime = *Builder(2).Build();
  Stuck stuck(runtime);
  stuck.Begin();
  Gate begun;
  Gate end;
  JoinHandle<void> handle = runtime.Spawn([&]() -> Async<> {
    begun.Open();
    end.Wait();
    co_await PendingForever<void>();
  });
  begun.Wait();
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::ZeroDuration()));
  stuck.End();
  end.Open();
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  EXPECT_FALSE(other.BlockOn(std::move(handle)).ok());
}

// Its tasks never run two at a time.
TEST(StandInTest, ThereIsNoneForOneWorker) {
  Reports reports;
  Runtime runtime = *Builder(1).OnLongPoll(reports.Handler()).Build();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&]() -> Async<> {
                    reports.Await();
                    co_return;
                  }))
                  .ok());
  EXPECT_EQ(runtime.Metrics().stand_ins, 0u);
}

// Workers that come and go, long polls, functions that block in place, and readers.
TEST(WatchdogStressTest, ManyRuntimes) {
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> told{0};
    Runtime runtime = *RuntimeBuilder()
                           .WorkerThreads(static_cast<std::size_t>(1 + round % 3))
                           .LongPollThreshold(absl::Milliseconds(1))
                           .OnLongPoll([&told](const LongPoll&) { told.fetch_add(1); })
                           .Build();
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 30; ++i) {
      handles.push_back(runtime.Spawn([i]() -> Async<> {
        for (int turn = 0; turn < 20; ++turn) {
          if (turn % 5 == 0) co_await Sleep(absl::Microseconds(100 * i));
          if (turn % 5 == 1) BlockInPlace([] { std::this_thread::yield(); });
          // All workers at once, often.
          if (turn == 2 && i < 3) std::this_thread::sleep_for(std::chrono::milliseconds(3));
          if (turn == 3 && i % 8 == 3) SpawnLocal(YieldNow()).Detach();
          co_await YieldNow();
        }
      }));
    }
    static_cast<void>(PrometheusText(runtime.Metrics()));
    if (round % 4 == 0) continue;
    for (JoinHandle<void>& handle : handles) EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  }
}

}  // namespace
}  // namespace home
