// Classes of blocking closures: limits, queues, and threads in common.

#include <algorithm>
#include <cstddef>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

BlockingClassMetrics Of(const Runtime& runtime, BlockingClass blocking_class) {
  return runtime.Metrics().blocking_classes[static_cast<std::size_t>(blocking_class)];
}

TEST(BlockingClassTest, NamesThatDoNotResolveDoNotHoldUpFiles) {
  Runtime runtime = *RuntimeBuilder()
                         .CurrentThread()
                         .MaxBlockingThreads(BlockingClass::kDns, 1)
                         .MaxBlockingThreads(BlockingClass::kFile, 1)
                         .Build();
  std::promise<void> answer;
  std::promise<void> asked;
  JoinHandle<void> first = runtime.SpawnBlocking(BlockingClass::kDns, [&] {
    asked.set_value();
    answer.get_future().wait();
  });
  JoinHandle<int> second = runtime.SpawnBlocking(BlockingClass::kDns, [] { return 2; });
  asked.get_future().wait();
  for (int i = 0; i < 3; ++i) {
    JoinHandle<int> file = runtime.SpawnBlocking(BlockingClass::kFile, [i] { return i; });
    EXPECT_EQ(*runtime.BlockOn(std::move(file)), i);
  }
  EXPECT_EQ(Of(runtime, BlockingClass::kDns).running, 1u);
  EXPECT_EQ(Of(runtime, BlockingClass::kDns).queued, 1u);
  EXPECT_EQ(Of(runtime, BlockingClass::kDns).limit, 1u);
  EXPECT_EQ(runtime.Metrics().blocking_queued, 1u);
  answer.set_value();
  EXPECT_TRUE(runtime.BlockOn(std::move(first)).ok());
  EXPECT_EQ(*runtime.BlockOn(std::move(second)), 2);
}

TEST(BlockingClassTest, WhatIsAboveTheLimitRunsInItsOrder) {
  Runtime runtime =
      *RuntimeBuilder().CurrentThread().MaxBlockingThreads(BlockingClass::kUser0, 1).Build();
  std::vector<int> order;  // one closure runs at a time
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 100; ++i) {
    handles.push_back(
        runtime.SpawnBlocking(BlockingClass::kUser0, [&order, i] { order.push_back(i); }));
  }
  for (JoinHandle<void>& handle : handles) EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(BlockingClassTest, AnIdleThreadTakesAnyClass) {
  Runtime runtime =
      *RuntimeBuilder().CurrentThread().BlockingKeepAlive(absl::InfiniteDuration()).Build();
  std::vector<std::thread::id> threads;
  for (const BlockingClass blocking_class :
       {BlockingClass::kGeneral, BlockingClass::kFile, BlockingClass::kDns}) {
    JoinHandle<std::thread::id> handle =
        runtime.SpawnBlocking(blocking_class, [] { return std::this_thread::get_id(); });
    threads.push_back(*runtime.BlockOn(std::move(handle)));
    while (runtime.Metrics().blocking_idle != 1) std::this_thread::yield();
  }
  EXPECT_EQ(threads[0], threads[1]);
  EXPECT_EQ(threads[0], threads[2]);
  EXPECT_EQ(runtime.Metrics().blocking_threads, 1u);
}

TEST(BlockingClassTest, NoMoreThanTheLimitRunAtOnce) {
  Runtime runtime = *RuntimeBuilder()
                         .WorkerThreads(2)
                         .MaxBlockingThreads(BlockingClass::kUser1, 2)
                         .MaxBlockingThreads(BlockingClass::kUser2, 3)
                         .Build();
  std::mutex mutex;
  std::size_t running[2] = {};
  std::size_t most[2] = {};
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 400; ++i) {
    const std::size_t which = static_cast<std::size_t>(i) % 2;
    handles.push_back(runtime.SpawnBlocking(
        which == 0 ? BlockingClass::kUser1 : BlockingClass::kUser2, [&, which] {
          {
            const std::lock_guard lock(mutex);
            most[which] = std::max(most[which], ++running[which]);
          }
          std::this_thread::yield();
          const std::lock_guard lock(mutex);
          --running[which];
        }));
  }
  for (JoinHandle<void>& handle : handles) EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  EXPECT_LE(most[0], 2u);
  EXPECT_LE(most[1], 3u);
  EXPECT_LE(runtime.Metrics().blocking_threads, 5u);
}

TEST(BlockingClassTest, ShutdownCancelsWhatWaitsInEveryClass) {
  RuntimeBuilder builder;
  builder.CurrentThread();
  for (std::size_t i = 0; i < kBlockingClasses; ++i) {
    builder.MaxBlockingThreads(static_cast<BlockingClass>(i), 1);
  }
  Runtime runtime = *builder.Build();
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::vector<JoinHandle<void>> running;
  std::vector<JoinHandle<void>> waiting;
  for (std::size_t i = 0; i < kBlockingClasses; ++i) {
    const auto blocking_class = static_cast<BlockingClass>(i);
    std::promise<void> started;
    running.push_back(runtime.SpawnBlocking(blocking_class, [&started, released] {
      started.set_value();
      released.wait();
    }));
    started.get_future().wait();
    waiting.push_back(runtime.SpawnBlocking(blocking_class, [] {}));
  }
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::ZeroDuration()));
  for (JoinHandle<void>& handle : waiting) EXPECT_EQ(handle.status(), TaskStatus::kCancelled);
  release.set_value();
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  for (JoinHandle<void>& handle : running) EXPECT_TRUE(other.BlockOn(std::move(handle)).ok());
}

TEST(BlockingClassTest, ALimitOfZeroIsRefusedByName) {
  const absl::Status status =
      RuntimeBuilder().MaxBlockingThreads(BlockingClass::kFile, 0).Build().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StrContains(std::string(status.message()), "class file")) << status;
}

}  // namespace
}  // namespace home
