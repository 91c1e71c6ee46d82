// AsymmetricFence: of two threads, at least one sees the other.

#include "home/queue/asymmetric_fence.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace home::queue_internal {
namespace {

TEST(AsymmetricFenceTest, TheAnswerIsAlwaysTheSame) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(BarrierOnAllThreads(), AsymmetricFence::IsAsymmetric());
}

// Without the fences both miss the other within a few thousand rounds.
TEST(AsymmetricFenceTest, OneOfTwoThreadsSeesTheOther) {
  constexpr int kRounds = 20'000;
  alignas(64) std::atomic<int> light_word = 0;
  alignas(64) std::atomic<int> heavy_word = 0;
  alignas(64) std::atomic<int> start = 0;
  std::atomic<int> done = 0;
  int light_saw = 0;
  int heavy_saw = 0;
  std::thread light([&] {
    for (int round = 1; round <= kRounds; ++round) {
      for (int i = 0; start.load(std::memory_order_acquire) != round; ++i) {
        if (i > 1000) std::this_thread::yield();
      }
      light_word.store(round, std::memory_order_relaxed);
      AsymmetricFence::Light();
      light_saw = heavy_word.load(std::memory_order_relaxed);
      done.store(round, std::memory_order_release);
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    start.store(round, std::memory_order_release);
    heavy_word.store(round, std::memory_order_relaxed);
    AsymmetricFence::Heavy();
    heavy_saw = light_word.load(std::memory_order_relaxed);
    for (int i = 0; done.load(std::memory_order_acquire) != round; ++i) {
      if (i > 1000) std::this_thread::yield();
    }
    ASSERT_TRUE(light_saw == round || heavy_saw == round) << "in round " << round;
  }
  light.join();
}

}  // namespace
}  // namespace home::queue_internal
