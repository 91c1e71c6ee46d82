// BoundedQueue under real threads: every element comes out once, none is invented, each
// producer's in order. Run under ThreadSanitizer and AddressSanitizer.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/queue/bounded_queue.h"
#include "home/queue/yielding_policy.h"

namespace home {
namespace {

// Starts in the last lap before the stamps wrap.
struct Policy : queue_testing::Yielding<BoundedQueuePolicy> {
  using Stamp = std::uint32_t;
  static constexpr Stamp kFirstLap = ~Stamp{0};
};

struct Element {
  std::size_t producer;
  int sequence;
};
using Queue = BoundedQueue<std::unique_ptr<Element>, Policy>;

constexpr int kPerProducer = 10'000;

struct Shape {
  std::size_t capacity;
  std::size_t producers;
  std::size_t consumers;
};

class BoundedQueueStressTest : public testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, BoundedQueueStressTest,
                         testing::Values(Shape{1, 1, 1}, Shape{1, 3, 3}, Shape{2, 2, 2},
                                         Shape{3, 4, 1}, Shape{7, 1, 4}, Shape{64, 2, 2},
                                         Shape{100'000, 3, 3}));

TEST_P(BoundedQueueStressTest, ConcurrentPushAndPop) {
  const Shape shape = GetParam();
  Queue queue(shape.capacity);
  std::vector<std::vector<std::atomic<int>>> seen(shape.producers);
  for (auto& counts : seen) counts = std::vector<std::atomic<int>>(kPerProducer);
  std::atomic<int> left = kPerProducer * static_cast<int>(shape.producers);
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < shape.producers; ++p) {
    threads.emplace_back([&, p] {
      for (int i = 0; i < kPerProducer; ++i) {
        auto element = std::make_unique<Element>(Element{p, i});
        while (!queue.TryPush(std::move(element))) std::this_thread::yield();
      }
    });
  }
  for (std::size_t c = 0; c < shape.consumers; ++c) {
    threads.emplace_back([&] {
      std::vector<int> last(shape.producers, -1);
      while (left.load() > 0) {
        const std::optional<std::unique_ptr<Element>> element = queue.TryPop();
        if (!element) {
          std::this_thread::yield();
          continue;
        }
        const auto [producer, sequence] = **element;
        EXPECT_LT(last[producer], sequence);
        last[producer] = sequence;
        ++seen[producer][static_cast<std::size_t>(sequence)];
        --left;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& counts : seen) {
    for (const std::atomic<int>& count : counts) ASSERT_EQ(count.load(), 1);
  }
  EXPECT_EQ(queue.SizeHint(), 0u);
}

TEST(BoundedQueueStressTest, ConcurrentPush) {
  constexpr std::size_t kProducers = 4;
  constexpr std::size_t kCapacity = 5'000;
  Queue queue(kCapacity);
  std::atomic<std::size_t> accepted = 0;
  std::vector<std::thread> producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < static_cast<int>(kCapacity); ++i) {
        if (queue.TryPush(std::make_unique<Element>(Element{p, i}))) ++accepted;
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  // Nobody pops, so exactly the capacity goes in, and each producer's elements in order.
  EXPECT_EQ(accepted.load(), kCapacity);
  std::vector<int> last(kProducers, -1);
  std::size_t popped = 0;
  while (std::optional<std::unique_ptr<Element>> element = queue.TryPop()) {
    EXPECT_LT(last[(*element)->producer], (*element)->sequence);
    last[(*element)->producer] = (*element)->sequence;
    ++popped;
  }
  EXPECT_EQ(popped, kCapacity);
}

// An element whose TryPush() has returned is there for a TryPop() that starts afterwards,
// although an earlier push may be stuck half-way: "empty" is never said wrongly.
TEST(BoundedQueueStressTest, ACompletedPushIsNeverHiddenByAnUnfinishedOne) {
  constexpr int kRounds = 20'000;
  Queue queue(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        auto element = std::make_unique<Element>(Element{0, i});
        if (!queue.TryPush(std::move(element))) continue;
        // As every thread pushes before it pops, there is an element for each.
        ASSERT_TRUE(queue.TryPop().has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(queue.SizeHint(), 0u);
}

}  // namespace
}  // namespace home
