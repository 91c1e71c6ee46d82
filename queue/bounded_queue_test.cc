// BoundedQueue: behaviour on one thread.

#include "home/queue/bounded_queue.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace home {
namespace {

// The capacities around which rings go wrong: 1, the powers of two and their neighbours.
class BoundedQueueCapacityTest : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Capacities, BoundedQueueCapacityTest,
                         testing::Values(1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65));

TEST_P(BoundedQueueCapacityTest, HoldsExactlyItsCapacity) {
  BoundedQueue<std::size_t> queue(GetParam());
  EXPECT_EQ(queue.capacity(), GetParam());
  for (int lap = 0; lap < 5; ++lap) {
    for (std::size_t i = 0; i < GetParam(); ++i) {
      ASSERT_EQ(queue.SizeHint(), i);
      ASSERT_TRUE(queue.TryPush(std::size_t{i}));
    }
    EXPECT_EQ(queue.SizeHint(), GetParam());
    EXPECT_FALSE(queue.TryPush(99));
    EXPECT_EQ(queue.SizeHint(), GetParam());
    for (std::size_t i = 0; i < GetParam(); ++i) ASSERT_EQ(queue.TryPop(), i);
    EXPECT_EQ(queue.TryPop(), std::nullopt);
    EXPECT_EQ(queue.SizeHint(), 0u);
  }
}

TEST_P(BoundedQueueCapacityTest, AgreesWithAModel) {
  std::mt19937 random(7);
  BoundedQueue<int> queue(GetParam());
  std::deque<int> model;
  for (int i = 0; i < 20'000; ++i) {
    // Phases in which it fills and phases in which it drains.
    if (random() % 100 < ((i / 500) % 2 == 0 ? 60u : 40u)) {
      const bool pushed = queue.TryPush(int{i});
      ASSERT_EQ(pushed, model.size() < GetParam());
      if (pushed) model.push_back(i);
    } else {
      std::optional<int> expected;
      if (!model.empty()) {
        expected = model.front();
        model.pop_front();
      }
      ASSERT_EQ(queue.TryPop(), expected);
    }
    ASSERT_EQ(queue.SizeHint(), model.size());
  }
}

TEST(BoundedQueueTest, BasicOperations) {
  BoundedQueue<int> queue(4);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
  EXPECT_TRUE(queue.TryPush(1));
  EXPECT_TRUE(queue.TryPush(2));
  EXPECT_EQ(queue.TryPop(), 1);
  EXPECT_TRUE(queue.TryPush(3));
  EXPECT_EQ(queue.TryPop(), 2);
  EXPECT_EQ(queue.TryPop(), 3);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
}

TEST(BoundedQueueTest, Fifo) {
  BoundedQueue<int> queue(10);
  int pushed = 0;
  int popped = 0;
  for (int step = 0; step < 1000; ++step) {
    while (queue.TryPush(int{pushed})) ++pushed;
    for (int i = 0; i <= step % 10; ++i) ASSERT_EQ(queue.TryPop(), popped++);
  }
}

TEST(BoundedQueueTest, SingleItem) {
  BoundedQueue<std::string> queue(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(queue.TryPush("a string too long to be stored in place"));
    EXPECT_FALSE(queue.TryPush("b"));
    EXPECT_EQ(queue.TryPop(), "a string too long to be stored in place");
    EXPECT_EQ(queue.TryPop(), std::nullopt);
  }
}

TEST(BoundedQueueTest, StructElements) {
  struct Event {
    int id;
    std::string name;
  };
  BoundedQueue<Event> queue(2);
  EXPECT_TRUE(queue.TryPush(Event{1, "one"}));
  EXPECT_TRUE(queue.TryPush(Event{2, "two"}));
  const std::optional<Event> event = queue.TryPop();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->id, 1);
  EXPECT_EQ(event->name, "one");
}

TEST(BoundedQueueTest, MoveOnlyElements) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  EXPECT_EQ(**queue.TryPop(), 1);
}

TEST(BoundedQueueTest, RefusedElementIsUntouched) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);  // NOLINT(bugprone-use-after-move): that is the point.
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueueTest, DestructionWithElementsInside) {
  const auto shared = std::make_shared<int>(1);
  {
    BoundedQueue<std::shared_ptr<int>> queue(5);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.TryPush(std::shared_ptr<int>(shared)));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPop().has_value());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPush(std::shared_ptr<int>(shared)));
    EXPECT_EQ(shared.use_count(), 1 + 4);  // Across the end of the ring.
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(BoundedQueueTest, OverAlignedElements) {
  struct alignas(64) Aligned {
    char bytes[64];
  };
  BoundedQueue<Aligned> queue(3);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(queue.TryPush(Aligned{{static_cast<char>(i)}}));
    EXPECT_EQ(queue.TryPop()->bytes[0], static_cast<char>(i));
  }
}

TEST(BoundedQueueTest, ElementsMustMoveWithoutThrowing) {
  struct ThrowingMove {
    ThrowingMove(ThrowingMove&&) {}
  };
  static_assert(!QueueElement<ThrowingMove>);
  static_assert(QueueElement<std::unique_ptr<int>>);
}

// Pitfalls 3 and 4: stamps that start in their last lap and go on from zero.
struct LastLap : BoundedQueuePolicy {
  using Stamp = std::uint32_t;
  static constexpr Stamp kFirstLap = ~Stamp{0};
};

TEST_P(BoundedQueueCapacityTest, StampsWrap) {
  BoundedQueue<std::size_t, LastLap> queue(GetParam());
  std::size_t popped = 0;
  for (std::size_t pushed = 0; pushed < 5 * GetParam();) {
    while (queue.TryPush(std::size_t{pushed})) ++pushed;
    ASSERT_EQ(queue.SizeHint(), GetParam());
    for (std::size_t i = 0; i < (GetParam() + 1) / 2; ++i) ASSERT_EQ(queue.TryPop(), popped++);
    ASSERT_EQ(queue.SizeHint(), GetParam() - (GetParam() + 1) / 2);
  }
  while (queue.TryPop().has_value()) ++popped;
  EXPECT_EQ(queue.SizeHint(), 0u);
  EXPECT_TRUE(queue.EmptyHint());
}

TEST(BoundedQueueDeathTest, ZeroCapacitySaysSo) {
  EXPECT_DEATH(BoundedQueue<int>(0), "the capacity must be at least 1");
}

}  // namespace
}  // namespace home
