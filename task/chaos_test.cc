#include "home/task/chaos.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"

namespace home::internal {
namespace {

struct Policy {
  template <typename U>
  using Atomic = std::atomic<U>;
  static constexpr int kOther = 3;
};

// No trace of it in other builds; in all, nothing but a pause.
static_assert(kChaos || std::is_same_v<Atomic<int>, std::atomic<int>>);
static_assert(kChaos || std::is_same_v<WithChaos<Policy>, Policy>);
static_assert(sizeof(ChaosAtomic<std::uint64_t>) == sizeof(std::atomic<std::uint64_t>));
static_assert(std::is_same_v<Chaotic<Policy>::Atomic<int>, ChaosAtomic<int>>);
static_assert(Chaotic<Policy>::kOther == 3);

TEST(ChaosAtomicTest, AccessesAreThoseOfAnAtomic) {
  constexpr std::memory_order kOrder = std::memory_order_seq_cst;
  ChaosAtomic<int> value{5};
  EXPECT_EQ(value.load(kOrder), 5);
  value.store(6, kOrder);
  EXPECT_EQ(value.exchange(7, kOrder), 6);
  EXPECT_EQ(value.fetch_add(3, kOrder), 7);
  EXPECT_EQ(value.fetch_sub(2, kOrder), 10);
  EXPECT_EQ(value.fetch_or(16, kOrder), 8);
  EXPECT_EQ(value.fetch_and(16, kOrder), 24);
  int expected = 0;
  EXPECT_FALSE(value.compare_exchange_strong(expected, 1, kOrder));
  EXPECT_EQ(expected, 16);
  EXPECT_TRUE(value.compare_exchange_strong(expected, 1, kOrder, std::memory_order_relaxed));
  expected = 1;
  while (!value.compare_exchange_weak(expected, 2, kOrder, std::memory_order_relaxed)) {
  }
  EXPECT_EQ(value.load(kOrder), 2);
}

TEST(ChaosAtomicTest, PointersAndEnumerators) {
  enum class Colour : std::uint8_t { kRed, kGreen };
  ChaosAtomic<Colour> colour{Colour::kRed};
  EXPECT_EQ(colour.exchange(Colour::kGreen, std::memory_order_relaxed), Colour::kRed);
  int target = 0;
  ChaosAtomic<int*> pointer{nullptr};
  pointer.store(&target, std::memory_order_relaxed);
  EXPECT_EQ(pointer.load(std::memory_order_relaxed), &target);
}

TEST(ChaosAtomicTest, NoIncrementIsLost) {
  ChaosAtomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&sum] {
      for (int j = 0; j < 3000; ++j) sum.fetch_add(1, std::memory_order_relaxed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum.load(std::memory_order_relaxed), 12000);
}

}  // namespace
}  // namespace home::internal
