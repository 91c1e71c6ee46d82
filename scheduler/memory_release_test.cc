#include "home/scheduler/memory_release.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/yield.h"
#include "home/task/join_handle.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using scheduler_internal::MemoryRelease;
using Finding = MemoryRelease::Finding;

constexpr std::uint64_t kMuch = MemoryRelease::kWorthwhile;
constexpr absl::Duration kQuiet = MemoryRelease::kQuiet;

// -- When -----------------------------------------------------------------------------------

class MemoryReleaseTest : public ::testing::Test {
 protected:
  Finding Look(std::uint64_t returned, absl::Duration after) {
    return release_.Look(returned, [&] { return Instant() + after; });
  }

  MemoryRelease release_{0};
};

TEST_F(MemoryReleaseTest, LittleIsNotWorthWhile) {
  EXPECT_EQ(Look(kMuch - 1, absl::ZeroDuration()), Finding::kNothing);
  EXPECT_EQ(Look(kMuch - 1, 2 * kQuiet), Finding::kNothing);
  EXPECT_TRUE(release_.next_look().is_infinite());
  EXPECT_EQ(release_.round(), 0u);
}

TEST_F(MemoryReleaseTest, ARoundBeginsOnceItIsQuiet) {
  EXPECT_EQ(Look(kMuch, absl::ZeroDuration()), Finding::kBegins);
  EXPECT_EQ(release_.next_look(), Instant() + kQuiet);
  EXPECT_EQ(Look(kMuch, kQuiet / 2), Finding::kNothing);
  EXPECT_EQ(Look(2 * kMuch - 1, kQuiet), Finding::kDue);
  EXPECT_EQ(release_.round(), 1u);
  EXPECT_TRUE(release_.next_look().is_infinite());
}

TEST_F(MemoryReleaseTest, ThereIsNoneAsLongAsMuchIsGivenBack) {
  EXPECT_EQ(Look(kMuch, absl::ZeroDuration()), Finding::kBegins);
  for (int i = 1; i < 10; ++i) {
    EXPECT_EQ(Look(static_cast<std::uint64_t>(i + 1) * kMuch, i * kQuiet), Finding::kNothing);
  }
  EXPECT_EQ(Look(10 * kMuch, 10 * kQuiet), Finding::kDue);
}

TEST_F(MemoryReleaseTest, EachRoundWaitsForMore) {
  EXPECT_EQ(Look(kMuch, absl::ZeroDuration()), Finding::kBegins);
  EXPECT_EQ(Look(kMuch + 1, kQuiet), Finding::kDue);
  EXPECT_EQ(Look(kMuch + 1, 5 * kQuiet), Finding::kNothing);
  EXPECT_EQ(Look(2 * kMuch, 6 * kQuiet), Finding::kNothing);
  // Another thread's reading, which is older.
  EXPECT_EQ(Look(kMuch, 6 * kQuiet), Finding::kNothing);
  EXPECT_EQ(Look(2 * kMuch + 1, 7 * kQuiet), Finding::kBegins);
  EXPECT_EQ(Look(2 * kMuch + 1, 8 * kQuiet), Finding::kDue);
  EXPECT_EQ(release_.round(), 2u);
}

// -- The hook -------------------------------------------------------------------------------

// Frames of a KiB and more. Of kManyTasks the cache keeps a MiB, and what lies with the threads;
// between one and two MiB go back, enough for one round and not for two, wherever it pauses.
Async<void> BeLarge(const std::atomic<bool>* all_are_there) {
  volatile char bytes[1024] = {};
  while (!*all_are_there) co_await YieldNow();
  bytes[0] = bytes[1023];
}
Async<void> Burst(int tasks) {
  std::atomic<bool> all_are_there{false};
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < tasks; ++i) handles.push_back(Spawn(BeLarge(&all_are_there)));
  all_are_there = true;
  for (JoinHandle<void>& handle : handles) {
    const auto ended = co_await handle;
    EXPECT_TRUE(ended.ok());
  }
}
constexpr int kManyTasks = 2'400;

// How often each thread was told.
class Calls {
 public:
  ThreadHook Hook() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++calls_[std::this_thread::get_id()];
    };
  }
  [[nodiscard]] std::vector<int> Get() const {
    const std::lock_guard lock(mutex_);
    std::vector<int> calls;
    for (const auto& [thread, count] : calls_) calls.push_back(count);
    return calls;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::thread::id, int> calls_;
};

TEST(OnMemoryFreedTest, EachWorkerIsToldOnceAfterABurst) {
  Calls calls;
  Runtime runtime = *RuntimeBuilder().WorkerThreads(3).OnMemoryFreed(calls.Hook()).Build();
  for (int round = 1; round <= 2; ++round) {
    runtime.BlockOn(runtime.Spawn(Burst(kManyTasks))).IgnoreError();
    // From here on there is nothing to do, and nobody wakes a worker.
    const std::vector<int> all(3, round);
    while (calls.Get() != all) absl::SleepFor(absl::Milliseconds(1));
    absl::SleepFor(2 * kQuiet);
    EXPECT_EQ(calls.Get(), all);
  }
}

TEST(OnMemoryFreedTest, IsNotCalledWithoutABurst) {
  Calls calls;
  Runtime runtime = *RuntimeBuilder().WorkerThreads(2).OnMemoryFreed(calls.Hook()).Build();
  for (int i = 0; i < 20; ++i) {
    runtime.BlockOn(runtime.Spawn(Burst(30))).IgnoreError();
    absl::SleepFor(kQuiet / 10);
  }
  EXPECT_TRUE(calls.Get().empty());
}

TEST(OnMemoryFreedTest, IsNotCalledAsLongAsTheBurstGoesOn) {
  Calls calls;
  Runtime runtime = *RuntimeBuilder().WorkerThreads(2).OnMemoryFreed(calls.Hook()).Build();
  const absl::Time begin = absl::Now();
  absl::Time last = begin;
  while (last < begin + 3 * kQuiet) {
    runtime.BlockOn(runtime.Spawn(Burst(kManyTasks))).IgnoreError();
    const bool called = !calls.Get().empty();
    const absl::Time now = absl::Now();
    // On a slow machine, or if this thread stood still, the burst was over.
    if (now - last > kQuiet / 2) return;
    last = now;
    ASSERT_FALSE(called);
  }
}

TEST(OnMemoryFreedTest, ACurrentThreadRuntimeIsToldInBlockOn) {
  Calls calls;
  Runtime runtime = *RuntimeBuilder().CurrentThread().OnMemoryFreed(calls.Hook()).Build();
  runtime.BlockOn(Burst(kManyTasks));
  EXPECT_TRUE(calls.Get().empty());
  runtime.BlockOn(Sleep(3 * kQuiet));
  EXPECT_EQ(calls.Get(), std::vector<int>(1, 1));
}

}  // namespace
}  // namespace home
