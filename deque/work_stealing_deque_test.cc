// The behaviour of WorkStealingDeque.

#include "home/deque/work_stealing_deque.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace home {
namespace {

// A small first buffer, so that growth is the normal case, and indices that begin right
// before they wrap.
struct SmallPolicy : DequePolicy {
  static constexpr Index kFirstIndex = std::numeric_limits<Index>::max() - 2;
  static constexpr std::size_t kMinCapacity = 1;
  static constexpr std::size_t kKeptCapacity = 2;
  static constexpr int kEmptyPops = 1;
  static constexpr std::size_t kMaxBatch = 8;
};

template <typename Deque>
std::vector<int> DrainBySteal(Deque& deque) {
  std::vector<int> out;
  for (auto stolen = deque.Steal(); stolen.ok(); stolen = deque.Steal()) {
    out.push_back(stolen.value());
  }
  return out;
}

template <typename Policy>
class WorkStealingDequeTest : public testing::Test {
 protected:
  WorkStealingDeque<int, Policy> deque_;
};
using Policies = testing::Types<DequePolicy, SmallPolicy>;
TYPED_TEST_SUITE(WorkStealingDequeTest, Policies);

TYPED_TEST(WorkStealingDequeTest, BasicOperations) {
  EXPECT_TRUE(this->deque_.EmptyHint());
  this->deque_.Push(1);
  this->deque_.Push(2);
  this->deque_.Push(3);
  EXPECT_EQ(this->deque_.SizeHint(), 3u);
  EXPECT_EQ(this->deque_.Pop(), 3);
  EXPECT_EQ(this->deque_.PopFront(), 1);
  const StealResult<int> stolen = this->deque_.Steal();
  ASSERT_TRUE(stolen.ok());
  EXPECT_EQ(stolen.value(), 2);
  EXPECT_EQ(stolen.count(), 1u);
  EXPECT_TRUE(this->deque_.EmptyHint());
}

TYPED_TEST(WorkStealingDequeTest, Empty) {
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(this->deque_.Pop(), std::nullopt);
    EXPECT_EQ(this->deque_.PopFront(), std::nullopt);
    EXPECT_TRUE(this->deque_.Steal().empty());
    EXPECT_EQ(this->deque_.SizeHint(), 0u);
    // Every way to become empty.
    this->deque_.Push(round);
    switch (round % 3) {
      case 0:
        EXPECT_EQ(this->deque_.Pop(), round);
        break;
      case 1:
        EXPECT_EQ(this->deque_.PopFront(), round);
        break;
      case 2:
        EXPECT_EQ(this->deque_.Steal().value(), round);
        break;
    }
  }
}

TYPED_TEST(WorkStealingDequeTest, LifoOwnerFifoThieves) {
  for (int i = 0; i < 100; ++i) this->deque_.Push(i);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(this->deque_.Steal().value(), i);
    EXPECT_EQ(this->deque_.Pop(), 99 - i);
  }
  EXPECT_TRUE(this->deque_.EmptyHint());
}

TYPED_TEST(WorkStealingDequeTest, FifoOwner) {
  for (int i = 0; i < 100; ++i) this->deque_.Push(i);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(this->deque_.PopFront(), i);
  EXPECT_EQ(this->deque_.PopFront(), std::nullopt);
}

TYPED_TEST(WorkStealingDequeTest, PopIf) {
  EXPECT_FALSE(this->deque_.PopIf(1));
  EXPECT_FALSE(this->deque_.PopIfUnshared(1));
  for (int i = 1; i <= 4; ++i) this->deque_.Push(i);
  EXPECT_FALSE(this->deque_.PopIf(3)) << "not the newest";
  EXPECT_FALSE(this->deque_.PopIfUnshared(3));
  EXPECT_EQ(this->deque_.SizeHint(), 4u);
  EXPECT_TRUE(this->deque_.PopIf(4));
  EXPECT_TRUE(this->deque_.PopIfUnshared(3));
  ASSERT_TRUE(this->deque_.Steal().ok());
  EXPECT_FALSE(this->deque_.PopIf(1)) << "stolen";
  EXPECT_TRUE(this->deque_.PopIf(2));
  EXPECT_TRUE(this->deque_.EmptyHint());
}

TYPED_TEST(WorkStealingDequeTest, PopFrontUnshared) {
  EXPECT_EQ(this->deque_.PopFrontUnshared(), std::nullopt);
  for (int i = 1; i <= 4; ++i) this->deque_.Push(i);
  EXPECT_EQ(this->deque_.PopFrontUnshared(), 1);
  EXPECT_EQ(this->deque_.Steal().value(), 2);
  EXPECT_EQ(this->deque_.PopFrontUnshared(), 3) << "2 is stolen";
  EXPECT_EQ(this->deque_.Steal().value(), 4);
  EXPECT_EQ(this->deque_.PopFrontUnshared(), std::nullopt);
  EXPECT_EQ(this->deque_.Pop(), std::nullopt);
}

TYPED_TEST(WorkStealingDequeTest, Steal) {
  for (int i = 0; i < 10; ++i) this->deque_.Push(i);
  EXPECT_EQ(DrainBySteal(this->deque_), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_TRUE(this->deque_.Steal().empty());
}

TYPED_TEST(WorkStealingDequeTest, Growth) {
  constexpr int kCount = 100'000;
  for (int i = 0; i < kCount; ++i) this->deque_.Push(i);
  EXPECT_EQ(this->deque_.SizeHint(), std::size_t{kCount});
  EXPECT_GE(this->deque_.capacity(), std::size_t{kCount});
  EXPECT_LT(this->deque_.capacity(), 2 * std::size_t{kCount});
  for (int i = kCount - 1; i >= 0; --i) ASSERT_EQ(this->deque_.Pop(), i);
}

TYPED_TEST(WorkStealingDequeTest, RingIsReusedWithoutGrowth) {
  const std::size_t capacity = this->deque_.capacity();
  for (int i = 0; i < 1000; ++i) {
    this->deque_.Push(i);
    ASSERT_EQ(this->deque_.PopFront(), i);
  }
  EXPECT_EQ(this->deque_.capacity(), capacity);
}

TYPED_TEST(WorkStealingDequeTest, StealHalfTakesTheOlderHalfRoundedUp) {
  for (int size = 1; size <= 16; ++size) {
    WorkStealingDeque<int, TypeParam> victim;
    for (int i = 0; i < size; ++i) victim.Push(i);
    const StealResult<int> stolen = victim.StealHalf(this->deque_);
    const int half = (size + 1) / 2;
    ASSERT_TRUE(stolen.ok());
    EXPECT_EQ(stolen.count(), static_cast<std::size_t>(half));
    EXPECT_EQ(stolen.value(), 0);
    for (int i = 1; i < half; ++i) EXPECT_EQ(this->deque_.PopFront(), i);
    EXPECT_TRUE(this->deque_.EmptyHint());
    for (int i = half; i < size; ++i) EXPECT_EQ(victim.PopFront(), i);
    EXPECT_TRUE(victim.EmptyHint());
  }
}

TYPED_TEST(WorkStealingDequeTest, StealHalfOfNothing) {
  WorkStealingDeque<int, TypeParam> victim;
  this->deque_.Push(7);
  EXPECT_TRUE(victim.StealHalf(this->deque_).empty());
  EXPECT_EQ(this->deque_.SizeHint(), 1u);
}

TYPED_TEST(WorkStealingDequeTest, StealHalfMovesAtMostOneBatch) {
  WorkStealingDeque<int, TypeParam> victim;
  constexpr int kCount = 1000;
  for (int i = 0; i < kCount; ++i) victim.Push(i);
  const StealResult<int> stolen = victim.StealHalf(this->deque_);
  EXPECT_EQ(stolen.count(), TypeParam::kMaxBatch);
  EXPECT_EQ(this->deque_.SizeHint(), TypeParam::kMaxBatch - 1);
  EXPECT_EQ(victim.SizeHint(), kCount - TypeParam::kMaxBatch);
}

TYPED_TEST(WorkStealingDequeTest, StealHalfAppendsAndGrowsTheReceiver) {
  this->deque_.Push(-2);
  this->deque_.Push(-1);
  std::deque<int> expected = {-2, -1};
  WorkStealingDeque<int, TypeParam> victim;
  int next = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 20; ++i) victim.Push(next++);
    const StealResult<int> stolen = victim.StealHalf(this->deque_);
    ASSERT_TRUE(stolen.ok());
    for (std::size_t i = 1; i < stolen.count(); ++i) {
      expected.push_back(stolen.value() + static_cast<int>(i));
    }
  }
  while (!expected.empty()) {
    ASSERT_EQ(this->deque_.PopFront(), expected.front());
    expected.pop_front();
  }
  EXPECT_TRUE(this->deque_.EmptyHint());
}

// Random operations against std::deque.
TYPED_TEST(WorkStealingDequeTest, AgreesWithAModel) {
  std::mt19937 random(20051989);
  std::deque<int> model;
  WorkStealingDeque<int, TypeParam> thief;
  for (int i = 0; i < 200'000; ++i) {
    // Phases that grow and phases that shrink.
    const unsigned bias = (i / 5000) % 2 == 0 ? 60 : 40;
    const unsigned dice = random() % 100;
    if (dice < bias) {
      this->deque_.Push(i);
      model.push_back(i);
      continue;
    }
    std::optional<int> got;
    std::optional<int> expected;
    if (dice % 4 == 0) {
      got = this->deque_.Pop();
      if (!model.empty()) {
        expected = model.back();
        model.pop_back();
      }
    } else if (dice % 4 == 1) {
      got = this->deque_.PopFront();
      if (!model.empty()) {
        expected = model.front();
        model.pop_front();
      }
    } else {
      const StealResult<int> stolen =
          dice % 16 == 2 ? this->deque_.StealHalf(thief) : this->deque_.Steal();
      ASSERT_FALSE(stolen.retry());
      if (stolen.ok()) got = stolen.value();
      if (!model.empty()) expected = model.front();
      for (std::size_t taken = 0; taken < stolen.count(); ++taken) {
        if (taken > 0) {
          ASSERT_EQ(thief.PopFront(), model.front());
        }
        model.pop_front();
      }
    }
    ASSERT_EQ(got, expected);
    ASSERT_EQ(this->deque_.SizeHint(), model.size());
  }
}

// Every element comes to one of the two, the thieves' in order. stress_test.cc has more.
TYPED_TEST(WorkStealingDequeTest, ConcurrentPushAndSteal) {
  constexpr int kCount = 10'000;
  std::vector<int> stolen;
  std::thread thief([&] {
    while (stolen.empty() || stolen.back() != kCount - 1) {
      if (const StealResult<int> result = this->deque_.Steal(); result.ok()) {
        stolen.push_back(result.value());
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (int i = 0; i < kCount; ++i) {
    this->deque_.Push(i);
    if (i % 64 == 0) std::this_thread::yield();
  }
  thief.join();
  ASSERT_EQ(stolen.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(stolen[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(this->deque_.EmptyHint());
}

// Owner and thief go for the only element, over and over: one of them gets it.
TYPED_TEST(WorkStealingDequeTest, SingleElementRace) {
  constexpr int kRounds = 10'000;
  std::atomic<bool> done = false;
  std::vector<int> stolen;
  std::thread thief([&] {
    while (!done.load()) {
      if (const StealResult<int> result = this->deque_.Steal(); result.ok()) {
        stolen.push_back(result.value());
      }
    }
  });
  std::vector<int> popped;
  for (int i = 0; i < kRounds; ++i) {
    this->deque_.Push(i);
    if (i % 8 == 0) std::this_thread::yield();
    if (const auto element = i % 2 == 0 ? this->deque_.Pop() : this->deque_.PopFront()) {
      popped.push_back(*element);
    }
    ASSERT_TRUE(this->deque_.EmptyHint());
  }
  done = true;
  thief.join();
  popped.insert(popped.end(), stolen.begin(), stolen.end());
  std::sort(popped.begin(), popped.end());
  ASSERT_EQ(popped.size(), static_cast<std::size_t>(kRounds));
  for (int i = 0; i < kRounds; ++i) ASSERT_EQ(popped[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(WorkStealingDequeTest, SpillHalfGivesAwayTheOlderHalf) {
  EXPECT_EQ(this->deque_.SpillHalf([](int) { FAIL(); }), 0u);
  for (int i = 0; i < 5; ++i) this->deque_.Push(i);
  std::vector<int> spilled;
  EXPECT_EQ(this->deque_.SpillHalf([&](int i) { spilled.push_back(i); }), 3u);
  EXPECT_EQ(spilled, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(this->deque_.PopFront(), 3);
  EXPECT_EQ(this->deque_.Pop(), 4);
}

TEST(WorkStealingDequeMemoryTest, ShrinksWhenItRunsEmpty) {
  for (const bool lifo : {true, false}) {
    WorkStealingDeque<int> deque;
    for (int i = 0; i < 100'000; ++i) deque.Push(i);
    EXPECT_EQ(deque.capacity(), 131'072u);
    while (lifo ? deque.Pop() : deque.PopFront()) {
    }
    // Not at once: the next burst may need the room.
    EXPECT_EQ(deque.capacity(), 131'072u);
    for (int i = 0; i < DequePolicy::kEmptyPops; ++i) EXPECT_FALSE(deque.Pop());
    EXPECT_EQ(deque.capacity(), 1024u);
    for (int i = 0; i < 1000; ++i) deque.Push(i);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(deque.PopFront(), i);
  }
}

TEST(WorkStealingDequeMemoryTest, ShrinksWhileItIsInUse) {
  WorkStealingDeque<int> deque;
  for (int i = 0; i < 100'000; ++i) deque.Push(i);
  // A queue of 10 elements, until the indices have gone once around the buffer.
  int next = 0;
  for (; next < 99'990; ++next) ASSERT_EQ(deque.PopFront(), next);
  for (int i = 100'000; i < 300'000; ++i) {
    deque.Push(i);
    ASSERT_EQ(deque.PopFront(), next++);
  }
  EXPECT_EQ(deque.capacity(), 1024u);
}

TEST(WorkStealingDequeMemoryTest, ShrinkToFitKeepsTheElements) {
  WorkStealingDeque<int> deque;
  for (int i = 0; i < 100'000; ++i) deque.Push(i);
  for (int i = 99'999; i >= 5'000; --i) ASSERT_EQ(deque.Pop(), i);
  deque.ShrinkToFit();
  EXPECT_EQ(deque.capacity(), 16'384u);
  deque.ShrinkToFit();
  EXPECT_EQ(deque.capacity(), 16'384u);
  for (int i = 0; i < 5'000; ++i) ASSERT_EQ(deque.Steal().value(), i);
}

TEST(WorkStealingDequeMemoryTest, NeverShrinksBelowWhatItWasMadeWith) {
  WorkStealingDeque<int> deque(4096);
  for (int i = 0; i < 10'000; ++i) deque.Push(i);
  while (deque.PopFront()) {
  }
  deque.ShrinkToFit();
  EXPECT_EQ(deque.capacity(), 4096u);
}

TEST(WorkStealingDequeElementsTest, StructElements) {
  struct Pair {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
  };
  WorkStealingDeque<Pair> deque;
  deque.Push({1, 2});
  deque.Push({3, 4});
  EXPECT_EQ(deque.Steal().value().b, 2u);
  EXPECT_EQ(deque.Pop()->a, 3u);
}

TEST(WorkStealingDequeElementsTest, ConstructorRoundsTheCapacityUp) {
  EXPECT_EQ(WorkStealingDeque<int>(0).capacity(), 64u);
  EXPECT_EQ(WorkStealingDeque<int>(65).capacity(), 128u);
  EXPECT_EQ(WorkStealingDeque<int>(256).capacity(), 256u);
}

template <typename T>
constexpr bool kCanBeStored = requires { typename WorkStealingDeque<T>; };

TEST(WorkStealingDequeElementsTest, OnlyWhatAThiefMayReadInVain) {
  struct Owning {
    Owning() = default;
    Owning(Owning&&) noexcept {}
  };
  struct Wide {
    void* words[2];
  };
  static_assert(kCanBeStored<void*> && kCanBeStored<char> && kCanBeStored<std::uint64_t>);
  static_assert(!kCanBeStored<Owning> && !kCanBeStored<Wide>);
}

struct TinyPolicy : DequePolicy {
  using Index = std::uint8_t;
  static constexpr std::size_t kMinCapacity = 2;
};

TEST(WorkStealingDequeDeathTest, GrowthBeyondTheIndexWidthSaysSo) {
  WorkStealingDeque<int, TinyPolicy> deque;
  for (int i = 0; i < 64; ++i) deque.Push(i);
  EXPECT_DEATH(deque.Push(64), "cannot grow to 128 elements, the limit is 64");
}

}  // namespace
}  // namespace home
