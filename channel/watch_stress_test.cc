// Watch between tasks and threads, with receivers that fall behind and some that are aborted. On
// threads, and on the simulated flavour, where channel_simulation_test runs it under many seeds.

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/parker/barrier_testing.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/sync/blocking.h"

namespace home {
namespace {

using testing::Flavour;

class WatchStressTest : public ::testing::TestWithParam<Flavour> {
 protected:
  // Few where a seed makes each run another one.
  const int values_ = GetParam() == Flavour::kSimulated ? 40 : 2'000;
  Runtime runtime_ = testing::MakeRuntime(GetParam());
};

// Every receiver sees the last value, and versions only grow.
Async<void> FollowLatest(WatchReceiver<int> receiver, int last) {
  int seen = 0;
  while (true) {
    const bool changed = co_await receiver.Changed();
    if (!changed) break;
    const auto value = receiver.Borrow();
    EXPECT_GE(*value, seen);
    seen = *value;
  }
  EXPECT_EQ(seen, last);
}

Async<void> SendToMany(int values) {
  std::vector<JoinHandle<void>> tasks;
  {
    auto ends = MakeWatch<int>(0);
    for (int i = 0; i < 8; ++i) tasks.push_back(Spawn(FollowLatest(ends.second, values)));
    for (int i = 0; i < values; ++i) {
      ends.first.Send(i + 1);
      if (i % 10 == 0) co_await YieldNow();
      if (i == values / 2) tasks[0].Abort();
    }
  }
  for (auto& task : tasks) {
    const auto done = co_await task;
    static_cast<void>(done.ok());
  }
}

TEST_P(WatchStressTest, EveryoneWatchesTheLast) { runtime_.BlockOn(SendToMany(values_)); }

INSTANTIATE_TEST_SUITE_P(Flavours, WatchStressTest,
                         ::testing::Values(Flavour::kFourWorkers, Flavour::kSimulated),
                         testing::FlavourName);

// What a sender sends: numbers that grow, as text that is read by whoever gets it.
struct Reading {
  std::size_t sender;
  std::string number;
};
constexpr std::size_t kSenders = 3;

// What a receiver has seen.
class Log {
 public:
  void Note(const Reading& reading) {
    const int number = std::stoi(reading.number);
    EXPECT_GE(number, latest_[reading.sender]) << "each sender's values in order";
    latest_[reading.sender] = number;
  }
  [[nodiscard]] int latest(std::size_t sender) const { return latest_[sender]; }

 private:
  int latest_[kSenders] = {};
};

Async<void> SendFromATask(WatchSender<Reading> sender, std::size_t index, int values) {
  for (int i = 1; i <= values; ++i) {
    sender.Send({index, std::to_string(i)});
    if (i % 10 == 0) co_await YieldNow();
  }
}
void SendFromAThread(WatchSender<Reading> sender, std::size_t index, int values) {
  for (int i = 1; i <= values; ++i) {
    sender.Send({index, std::to_string(i)});
    if (i % 10 == 0) std::this_thread::yield();
  }
}

Async<Log> FollowFromATask(WatchReceiver<Reading> receiver) {
  Log log;
  while (true) {
    const bool changed = co_await receiver.Changed();
    if (!changed) co_return log;
    log.Note(*receiver.BorrowAndUpdate());
  }
}
// With a deadline for each wait, which may pass.
Log FollowFromAThread(WatchReceiver<Reading> receiver, absl::Duration deadline) {
  Log log;
  while (true) {
    const std::optional<bool> changed = BlockingWaitFor(receiver.Changed(), deadline);
    if (!changed.has_value()) continue;
    if (!*changed) return log;
    log.Note(*receiver.BorrowAndUpdate());
  }
}
// The same, of the values of sender 0 at least a hundred further each time; then the last value.
Log TakeSteps(WatchReceiver<Reading> receiver, absl::Duration deadline) {
  Log log;
  while (true) {
    const int step = log.latest(0) + 100;
    const auto is_there = [step](const Reading& reading) {
      return reading.sender == 0 && std::stoi(reading.number) >= step;
    };
    const auto reached = BlockingWaitFor(receiver.WaitFor(is_there), deadline);
    if (!reached.has_value()) continue;
    if (*reached == nullptr) break;
    EXPECT_TRUE(is_there(**reached));
    log.Note(**reached);
  }
  log.Note(*receiver.Borrow());
  return log;
}

TEST(WatchThreadsTest, SendersAndReceiversAreThreadsAndTasks) {
  constexpr int kValues = 3'000;
  constexpr absl::Duration kDeadlines[] = {absl::InfiniteDuration(), absl::Microseconds(20),
                                           absl::ZeroDuration()};
  Runtime runtime = testing::MakeRuntime(Flavour::kTwoWorkers);
  auto ends = MakeWatch<Reading>({0, "0"});
  std::vector<std::thread> threads;
  Log logs[6];
  for (std::size_t i = 0; i < 6; ++i) {
    threads.emplace_back([i, receiver = ends.second, &log = logs[i], kDeadlines]() mutable {
      const auto follow = i < 3 ? FollowFromAThread : TakeSteps;
      log = follow(std::move(receiver), kDeadlines[i % 3]);
    });
  }
  std::vector<JoinHandle<Log>> following;
  for (int i = 0; i < 3; ++i) following.push_back(runtime.Spawn(FollowFromATask(ends.second)));
  auto sending = runtime.Spawn(SendFromATask(ends.first, 0, kValues));
  threads.emplace_back(SendFromAThread, ends.first, 1, kValues);
  // The last of them to go ends all waits.
  threads.emplace_back(SendFromAThread, std::move(ends.first), 2, kValues);
  following[0].Abort();
  for (std::thread& thread : threads) thread.join();
  // Everybody else has seen the last value.
  const WatchReceiver<Reading>::Snapshot last = ends.second.Borrow();
  EXPECT_EQ(last->number, std::to_string(kValues));
  for (const Log& log : logs) EXPECT_EQ(log.latest(last->sender), kValues);
  runtime.BlockOn([&]() -> Async<void> {
    const auto sent = co_await sending;
    EXPECT_TRUE(sent.ok());
    for (std::size_t i = 0; i < following.size(); ++i) {
      const auto log = co_await following[i];
      if (i == 0 && !log.ok()) continue;  // it need not have ended before it was aborted
      EXPECT_EQ(log->latest(last->sender), kValues);
    }
  });
}

// The last sender goes as threads wait, or are about to, or give up.
TEST(WatchThreadsTest, CloseRaces) {
  constexpr int kRounds = 300;
  constexpr int kThreads = 3;
  for (int round = 0; round < kRounds; ++round) {
    auto ends = MakeWatch<int>(0);
    testing::Barrier start(kThreads + 1);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t, &start, receiver = ends.second]() mutable {
        const absl::Duration deadline = t == 0 ? absl::Microseconds(1) : absl::InfiniteDuration();
        start.ArriveAndWait();
        while (true) {
          const std::optional<bool> changed = BlockingWaitFor(receiver.Changed(), deadline);
          if (changed.has_value() && !*changed) break;
        }
        EXPECT_EQ(*receiver.Borrow(), 2) << "the last value comes before the end";
      });
    }
    {
      auto sender = std::move(ends.first);
      start.ArriveAndWait();
      sender.Send(1);
      sender.Send(2);
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// Receivers are made, wait for a moment, and go, while values are sent.
TEST(WatchThreadsTest, ReceiversComeAndGo) {
  constexpr int kValues = 2'000;
  auto ends = MakeWatch<int>(0);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([sender = ends.first, &done]() mutable {
      int seen = 0;
      while (!done) {
        const WatchReceiver<int> receiver = sender.Subscribe();
        WatchReceiver<int> copy = receiver;
        static_cast<void>(BlockingWaitFor(copy.Changed(), absl::Microseconds(1)));
        const int value = *copy.BorrowAndUpdate();
        EXPECT_GE(value, seen);
        seen = value;
      }
    });
  }
  for (int i = 1; i <= kValues; ++i) {
    ends.first.Send(i);
    if (i % 10 == 0) std::this_thread::yield();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ends.first.receivers(), 1u);
}

}  // namespace
}  // namespace home
