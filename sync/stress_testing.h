// For tests of the primitives between tasks on the runtime, of which many are aborted in the
// middle: nothing that was granted is lost, and nobody sleeps for ever. On threads, and on the
// simulated flavour, where sync_simulation_test runs them under many seeds.

#ifndef HOME_SYNC_STRESS_TESTING_H_
#define HOME_SYNC_STRESS_TESTING_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"

namespace home::sync_testing {

inline constexpr int kTasks = 8;

inline const auto kStressFlavours = ::testing::Values(
    testing::Flavour::kCurrentThread, testing::Flavour::kFourWorkers, testing::Flavour::kSimulated);

class StressTest : public ::testing::TestWithParam<testing::Flavour> {
 protected:
  StressTest() : runtime_(testing::MakeRuntime(GetParam())) {}

  // Runs `work(rounds)`: few where a seed makes each run another one.
  template <typename Work>
  void Run(Work work) {
    runtime_.BlockOn(work(GetParam() == testing::Flavour::kSimulated ? 8 : 60));
  }

 private:
  Runtime runtime_;
};

// Tasks of `work(index)`.
template <typename Work>
std::vector<JoinHandle<void>> SpawnTasks(Work work) {
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(work(i)));
  return tasks;
}

// Spawns tasks of `work(index)`, which never end by themselves, and aborts them after a while in
// an order that changes with the round.
template <typename Work>
Async<void> RunAndAbort(int round, Work work) {
  std::vector<JoinHandle<void>> tasks = SpawnTasks(work);
  for (int i = 0; i < round % 7 * 10; ++i) co_await YieldNow();
  for (int i = 0; i < kTasks; ++i) {
    tasks[static_cast<std::size_t>((i + round) % kTasks)].Abort();
    if (round % 2 == 0) co_await YieldNow();
  }
  for (JoinHandle<void>& task : tasks) {
    const auto ended = co_await task;
    EXPECT_FALSE(ended.ok());
  }
}

// Aborts those of an even index. The others end by themselves, once `release()` was called, at a
// moment that changes with the round.
template <typename Release>
Async<void> AbortAndRelease(int round, std::vector<JoinHandle<void>> tasks, Release release) {
  const auto release_at = static_cast<std::size_t>(round % kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) {
    if (i % 2 == 0) tasks[i].Abort();
    if (i == release_at) release();
  }
  for (std::size_t i = 0; i < kTasks; ++i) {
    const auto ended = co_await tasks[i];
    EXPECT_TRUE(ended.ok() || i % 2 == 0);
  }
}

// The same with tasks of `work(index)`, which have run for a while.
template <typename Work, typename Release>
Async<void> RunAndRelease(int round, Work work, Release release) {
  std::vector<JoinHandle<void>> tasks = SpawnTasks(work);
  for (int i = 0; i < round % 3; ++i) co_await YieldNow();
  co_await AbortAndRelease(round, std::move(tasks), release);
}

}  // namespace home::sync_testing

#endif  // HOME_SYNC_STRESS_TESTING_H_
