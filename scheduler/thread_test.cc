#include "home/scheduler/thread.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace home::scheduler_internal {
namespace {

// Of mingw-w64's threads some never ran, and others twice, when they were detached after their
// start.
TEST(ThreadTest, EveryDetachedThreadRunsOnce) {
  constexpr int kStarters = 4;
  constexpr int kThreads = 500;
  std::atomic<int> runs[kStarters] = {};
  std::vector<std::thread> starters;
  for (std::atomic<int>& count : runs) {
    starters.emplace_back([&count] {
      for (int i = 0; i < kThreads; ++i) {
        ASSERT_TRUE(Thread::StartDetached(0, [&count] { count.fetch_add(1); }).ok());
      }
    });
  }
  for (std::thread& starter : starters) starter.join();
  for (const std::atomic<int>& count : runs) {
    while (count.load() < kThreads) std::this_thread::yield();
    EXPECT_EQ(count.load(), kThreads);
  }
}

}  // namespace
}  // namespace home::scheduler_internal
