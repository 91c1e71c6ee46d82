// The siblings of WorkStealingDeque: what they add to it.

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/deque/bounded_work_stealing_deque.h"
#include "home/deque/owning_work_stealing_deque.h"

namespace home {
namespace {

struct TinyPolicy : DequePolicy {
  static constexpr std::size_t kMinCapacity = 1;
  static constexpr std::size_t kKeptCapacity = 2;
  static constexpr int kEmptyPops = 1;
};

// -- Bounded -----------------------------------------------------------------------

using Bounded = BoundedWorkStealingDeque<int, TinyPolicy>;

TEST(BoundedWorkStealingDequeTest, TryPushReportsTheOverflow) {
  for (const std::size_t capacity : {1u, 2u, 4u, 8u}) {
    Bounded deque(capacity);
    EXPECT_EQ(deque.capacity(), capacity);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < static_cast<int>(capacity); ++i) EXPECT_TRUE(deque.TryPush(i));
      EXPECT_FALSE(deque.TryPush(99));
      EXPECT_EQ(deque.SizeHint(), capacity);
      EXPECT_EQ(deque.Steal().value(), 0);
      EXPECT_TRUE(deque.TryPush(100));
      EXPECT_FALSE(deque.TryPush(101));
      EXPECT_EQ(deque.Pop(), 100);
      while (deque.PopFront()) {
      }
    }
    EXPECT_EQ(deque.capacity(), capacity);
  }
}

TEST(BoundedWorkStealingDequeTest, PushGivesTheOlderHalfAway) {
  for (const int capacity : {1, 2, 8, 256, 1024}) {  // Several batches at the end.
    Bounded deque(static_cast<std::size_t>(capacity));
    std::vector<int> spilled;
    const auto sink = [&](int i) { spilled.push_back(i); };
    for (int i = 0; i < capacity; ++i) EXPECT_EQ(deque.Push(i, sink), 0u);
    const auto half = static_cast<std::size_t>((capacity + 1) / 2);
    EXPECT_EQ(deque.Push(capacity, sink), half);
    ASSERT_EQ(spilled.size(), half);
    for (std::size_t i = 0; i < half; ++i) ASSERT_EQ(spilled[i], static_cast<int>(i));
    for (int i = static_cast<int>(half); i <= capacity; ++i) ASSERT_EQ(deque.PopFront(), i);
    EXPECT_EQ(deque.PopFront(), std::nullopt);
  }
}

TEST(BoundedWorkStealingDequeTest, StealHalfTakesNoMoreThanThereIsRoomFor) {
  Bounded victim(64);
  Bounded thief(8);
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(victim.TryPush(i));
  for (int i = 100; i < 106; ++i) ASSERT_TRUE(thief.TryPush(i));
  EXPECT_EQ(victim.StealHalf(thief).count(), 3u);  // Two into the deque.
  EXPECT_EQ(thief.SizeHint(), 8u);
  EXPECT_EQ(victim.StealHalf(thief).count(), 1u);
  EXPECT_EQ(thief.capacity(), 8u);
  EXPECT_EQ(thief.Pop(), 2);
  EXPECT_EQ(victim.PopFront(), 4);
}

TEST(BoundedWorkStealingDequeTest, ConcurrentOverflowAndSteal) {
  constexpr int kCount = 50'000;
  Bounded deque(16);
  std::vector<std::atomic<int>> taken(kCount);
  std::atomic<bool> done = false;
  const auto take = [&](int i) { ++taken[static_cast<std::size_t>(i)]; };
  std::thread thief([&] {
    for (;;) {
      const bool last_round = done.load();
      const StealResult<int> stolen = deque.Steal();
      if (stolen.ok()) take(stolen.value());
      if (stolen.empty() && last_round) return;
    }
  });
  for (int i = 0; i < kCount; ++i) {
    deque.Push(i, take);
    if (i % 8 == 0) {
      if (const std::optional<int> popped = deque.Pop()) take(*popped);
    }
  }
  done = true;
  thief.join();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(taken[static_cast<std::size_t>(i)], 1) << i;
}

// -- Owning ------------------------------------------------------------------------

class Counted {
 public:
  Counted(int number, std::atomic<int>& alive) : number_(number), alive_(alive) { ++alive_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive_; }
  int number() const { return number_; }

 private:
  const int number_;
  std::atomic<int>& alive_;
};

TEST(OwningWorkStealingDequeTest, HandsOwnershipOn) {
  std::atomic<int> alive = 0;
  OwningWorkStealingDeque<Counted> deque;
  OwningWorkStealingDeque<Counted> other;
  for (int i = 0; i < 6; ++i) deque.Push(std::make_unique<Counted>(i, alive));
  EXPECT_EQ(deque.Pop()->number(), 5);
  EXPECT_EQ(deque.PopFront()->number(), 0);
  EXPECT_EQ(alive, 4);
  {
    StealResult<std::unique_ptr<Counted>> stolen = deque.StealHalf(other);
    ASSERT_TRUE(stolen.ok());
    EXPECT_EQ(stolen.count(), 2u);
    const std::unique_ptr<Counted> element = std::move(stolen).value();
    EXPECT_EQ(element->number(), 1);
  }
  EXPECT_EQ(alive, 3);
  EXPECT_EQ(other.Steal().value()->number(), 2);
  EXPECT_EQ(deque.SpillHalf([](std::unique_ptr<Counted> element) { element.reset(); }), 1u);
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(deque.Pop()->number(), 4);
  EXPECT_EQ(deque.Pop(), nullptr);
  EXPECT_TRUE(deque.Steal().empty());
  EXPECT_EQ(alive, 0);
}

TEST(OwningWorkStealingDequeTest, DestroysWhatIsLeft) {
  std::atomic<int> alive = 0;
  {
    OwningWorkStealingDeque<Counted> deque;
    for (int i = 0; i < 1000; ++i) deque.Push(std::make_unique<Counted>(i, alive));
    EXPECT_EQ(alive, 1000);
  }
  EXPECT_EQ(alive, 0);
}

TEST(OwningWorkStealingDequeTest, ConcurrentPushAndSteal) {
  constexpr int kCount = 20'000;
  std::atomic<int> alive = 0;
  {
    OwningWorkStealingDeque<Counted, std::default_delete<Counted>, TinyPolicy> deque;
    std::atomic<bool> done = false;
    std::thread thief([&] {
      for (;;) {
        const bool last_round = done.load();
        const StealResult<std::unique_ptr<Counted>> stolen = deque.Steal();
        if (stolen.empty() && last_round) return;
      }
    });
    for (int i = 0; i < kCount; ++i) {
      deque.Push(std::make_unique<Counted>(i, alive));
      if (i % 3 == 0) static_cast<void>(deque.Pop());
    }
    done = true;
    thief.join();
    EXPECT_EQ(alive, 0);
    for (int i = 0; i < 10; ++i) deque.Push(std::make_unique<Counted>(i, alive));
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace home
