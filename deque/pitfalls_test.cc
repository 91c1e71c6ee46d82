// The bugs that other work-stealing deques have shipped, each with its schedule forced:
// an operation is stopped right before a chosen access, and the other side runs.

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "home/deque/hooked_policy.h"
#include "home/deque/work_stealing_deque.h"

namespace home {
namespace {

using deque_testing::HookedPolicy;
using deque_testing::Hooks;
using Policy = HookedPolicy<std::uint32_t>;
using Deque = WorkStealingDeque<int, Policy>;
using Claims = Hooks<std::uint64_t>;   // Accesses to the claim word.
using Bottoms = Hooks<std::uint32_t>;  // Accesses to bottom.
using Slots = Hooks<int>;              // Accesses to slots.
using Links = Hooks<std::byte*>;       // Accesses to the link to the buffer.

// Frees all buffers but the smallest one.
struct LargePolicy : Policy {
  static constexpr std::size_t kKeptCapacity = 2;
  static constexpr int kEmptyPops = 1;
};
using LargeDeque = WorkStealingDeque<int, LargePolicy>;

// A thief that read the elements and the old buffer, and claims after the owner has grown
// and gone on.
TEST(DequePitfallsTest, BatchStealAcrossGrowth) {
  Deque victim;
  Deque thief;
  victim.Push(0);
  victim.Push(1);
  Slots::before_load = [&] {
    for (int i = 2; i < 100; ++i) victim.Push(i);
  };
  const StealResult<int> stolen = victim.StealHalf(thief);
  // Growth alone takes nothing away: the claim is still good, for what it was made for.
  ASSERT_TRUE(stolen.ok());
  EXPECT_EQ(stolen.value(), 0);
  EXPECT_EQ(stolen.count(), 1u);
  for (int i = 1; i < 100; ++i) ASSERT_EQ(victim.PopFront(), i);
}

TEST(DequePitfallsTest, BatchStealAcrossGrowthAndPops) {
  Deque victim;
  Deque thief;
  for (int i = 0; i < 4; ++i) victim.Push(i);
  Slots::before_load = [&] {
    for (int i = 4; i < 100; ++i) victim.Push(i);
    for (int i = 99; i >= 1; --i) ASSERT_EQ(victim.Pop(), i);  // Into the thief's batch.
    for (int i = 200; i < 203; ++i) victim.Push(i);            // New values, same indices.
  };
  EXPECT_TRUE(victim.StealHalf(thief).retry());
  EXPECT_TRUE(thief.EmptyHint());
  EXPECT_EQ(victim.PopFront(), 0);
  for (int i = 200; i < 203; ++i) EXPECT_EQ(victim.PopFront(), i);
  EXPECT_EQ(victim.PopFront(), std::nullopt);
}

// A thief that is about to read the elements from a large buffer when the owner goes over to
// a small one and puts others to their places.
TEST(DequePitfallsTest, BatchStealAcrossShrink) {
  for (const bool before_slots : {true, false}) {
    LargeDeque victim;
    LargeDeque thief;
    for (int i = 0; i < 8; ++i) victim.Push(i);
    (before_slots ? Slots::before_load : Claims::before_rmw) = [&] {
      for (int i = 7; i >= 0; --i) ASSERT_EQ(victim.Pop(), i);
      ASSERT_EQ(victim.Pop(), std::nullopt);
      ASSERT_EQ(victim.capacity(), 2u);
      victim.Push(100);
      victim.Push(101);
    };
    EXPECT_TRUE(victim.StealHalf(thief).retry());
    EXPECT_TRUE(thief.EmptyHint());
    EXPECT_EQ(victim.Steal().value(), 100);
    EXPECT_EQ(victim.Steal().value(), 101);
  }
}

// As above, but the elements stay: then the claim is good, wherever the thief read.
TEST(DequePitfallsTest, BatchStealAcrossShrinkThatKeepsTheElements) {
  LargeDeque victim;
  LargeDeque thief;
  for (int i = 0; i < 8; ++i) victim.Push(i);
  for (int i = 7; i >= 2; --i) ASSERT_EQ(victim.Pop(), i);
  Slots::before_load = [&] {
    victim.ShrinkToFit();
    ASSERT_EQ(victim.capacity(), 4u);
  };
  EXPECT_EQ(victim.StealHalf(thief).value(), 0);
  EXPECT_EQ(victim.PopFront(), 1);
}

// The owner is done with a large buffer while a thief is about to read from it. It is freed,
// but not before the thief has gone. AddressSanitizer watches.
TEST(DequePitfallsTest, FreedBuffer) {
  LargeDeque deque;
  for (int i = 0; i < 100; ++i) deque.Push(i);
  Slots::before_load = [&] {
    while (deque.PopFront()) {
    }
    ASSERT_EQ(deque.capacity(), 2u);
    for (int i = 0; i < 1000; ++i) deque.Push(i);  // Of other sizes, several times.
    while (deque.PopFront()) {
    }
  };
  EXPECT_TRUE(deque.Steal().retry());
  EXPECT_TRUE(deque.Steal().empty());
  EXPECT_EQ(deque.Pop(), std::nullopt);
}

// A thief that stands still keeps the buffer that it reads, and no other.
TEST(DequePitfallsTest, BuffersDoNotPileUpUnderAThiefThatStandsStill) {
  LargeDeque deque;
  for (int i = 0; i < 100; ++i) deque.Push(i);
  Slots::before_load = [&] {
    for (int burst = 0; burst < 3; ++burst) {
      while (deque.PopFront()) {
      }
      EXPECT_EQ(deque.capacity(), 2u);
      for (int i = 0; i < 1000; ++i) deque.Push(i);
    }
    while (deque.PopFront()) {
    }
    EXPECT_EQ(deque.capacity(), 2u);
  };
  EXPECT_TRUE(deque.Steal().retry());
  EXPECT_EQ(deque.Pop(), std::nullopt);
}

// A thief has found a large buffer, and the owner goes over to another before the thief looks
// whether it is still there.
TEST(DequePitfallsTest, BufferReplacedBeforeItsReaderProtectsIt) {
  LargeDeque deque;
  for (int i = 0; i < 100; ++i) deque.Push(i);
  Links::before_load = [&] {
    Links::before_load = [&] {
      while (deque.PopFront()) {
      }
      ASSERT_EQ(deque.capacity(), 2u);
      deque.Push(7);
    };
  };
  EXPECT_TRUE(deque.Steal().retry());
  EXPECT_FALSE(Links::before_load);
  EXPECT_EQ(deque.Steal().value(), 7);
}

// A batch that the owner eats into from the other end, without growth.
TEST(DequePitfallsTest, BatchStealAgainstPopsOfTheOwner) {
  Deque victim;
  Deque thief;
  for (int i = 0; i < 8; ++i) victim.Push(i);
  Claims::before_rmw = [&] {
    for (int i = 7; i >= 2; --i) ASSERT_EQ(victim.Pop(), i);
  };
  EXPECT_TRUE(victim.StealHalf(thief).retry());
  EXPECT_TRUE(thief.EmptyHint());
  EXPECT_EQ(victim.Steal().value(), 0);
  EXPECT_EQ(victim.Steal().value(), 1);
  EXPECT_TRUE(victim.Steal().empty());
}

TEST(DequePitfallsTest, LastElementIsTakenByTheOwnerBeforeTheThiefsClaim) {
  for (const bool front : {false, true}) {
    Deque deque;
    deque.Push(1);
    std::optional<int> popped;
    Claims::before_rmw = [&] { popped = front ? deque.PopFront() : deque.Pop(); };
    EXPECT_TRUE(deque.Steal().retry());
    EXPECT_EQ(popped, 1);
    EXPECT_TRUE(deque.Steal().empty());
    deque.Push(2);
    EXPECT_EQ(deque.Steal().value(), 2);
  }
}

TEST(DequePitfallsTest, LastElementIsTakenByAThiefBeforeTheOwnersClaim) {
  for (const bool front : {false, true}) {
    Deque deque;
    deque.Push(1);
    // Pop() announces its claim by lowering bottom, so the thief has to come before that.
    (front ? Claims::before_rmw : Bottoms::before_store) = [&] {
      ASSERT_EQ(deque.Steal().value(), 1);
    };
    EXPECT_EQ(front ? deque.PopFront() : deque.Pop(), std::nullopt);
    EXPECT_EQ(deque.SizeHint(), 0u);
    EXPECT_TRUE(deque.Steal().empty());
    // The deque is as good as new.
    for (int i = 0; i < 10; ++i) deque.Push(i);
    EXPECT_EQ(deque.Pop(), 9);
    for (int i = 0; i < 9; ++i) EXPECT_EQ(deque.PopFront(), i);
    EXPECT_EQ(deque.PopFront(), std::nullopt);
  }
}

// The owner has lost the race for the last element and bottom is off by one until it repairs
// it: a thief that looks in between must not see an element, nor a huge deque.
TEST(DequePitfallsTest, ThiefSeesNothingWhileBottomIsBelowHead) {
  Deque deque;
  deque.Push(1);
  int looks = 0;
  const auto expect_empty = [&] {
    ++looks;
    EXPECT_TRUE(deque.Steal().empty());
    EXPECT_EQ(deque.SizeHint(), 0u);
  };
  Bottoms::before_store = [&] {  // Pop() is about to lower bottom.
    ASSERT_EQ(deque.Steal().value(), 1);
    Claims::before_rmw = [&] {  // It has.
      expect_empty();
      Bottoms::before_store = expect_empty;  // It has failed.
    };
  };
  EXPECT_EQ(deque.Pop(), std::nullopt);
  deque.Push(2);
  Claims::before_rmw = [&] {
    ASSERT_EQ(deque.Steal().value(), 2);
    Bottoms::before_store = expect_empty;
  };
  EXPECT_EQ(deque.PopFront(), std::nullopt);
  EXPECT_EQ(looks, 3);
}

// A thief read head; the owner loses the last element to another thief, skips an index, and
// the first thief reads the bottom of afterwards: it seems that there is an element.
TEST(DequePitfallsTest, SkippedIndexIsNeverStolen) {
  Deque deque;
  deque.Push(1);
  Bottoms::before_load = [&] {  // The thief is about to read bottom.
    Claims::before_rmw = [&] { ASSERT_EQ(deque.Steal().value(), 1); };
    ASSERT_EQ(deque.PopFront(), std::nullopt);
  };
  EXPECT_TRUE(deque.Steal().retry());
  EXPECT_TRUE(deque.Steal().empty());
}

template <typename Index, Index kFirst>
void PopOfEmptyDequeLeavesItEmpty() {
  WorkStealingDeque<int, HookedPolicy<Index, kFirst>> deque;
  for (int round = 0; round < 600; ++round) {  // Twice around 8 bits.
    ASSERT_EQ(deque.Pop(), std::nullopt);
    ASSERT_EQ(deque.PopFront(), std::nullopt);
    ASSERT_TRUE(deque.Steal().empty());
    ASSERT_EQ(deque.SizeHint(), 0u);
    deque.Push(round);
    ASSERT_EQ(deque.SizeHint(), 1u);
    ASSERT_EQ(round % 2 == 0 ? deque.PopFront() : deque.Steal().value(), round);
  }
}

TEST(DequePitfallsTest, PopOfEmptyDequeDoesNotUnderflow) {
  PopOfEmptyDequeLeavesItEmpty<std::uint32_t, 0>();
  PopOfEmptyDequeLeavesItEmpty<std::uint8_t, 0>();
}

TEST(DequePitfallsTest, IndicesWrap) {
  PopOfEmptyDequeLeavesItEmpty<std::uint32_t, std::numeric_limits<std::uint32_t>::max() - 1>();
  PopOfEmptyDequeLeavesItEmpty<std::uint8_t, 254>();
  // Growth with elements on both sides of the wrap.
  WorkStealingDeque<int, HookedPolicy<std::uint32_t, 0xfffffffd>> deque;
  for (int i = 0; i < 100; ++i) deque.Push(i);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(deque.PopFront(), i);
    EXPECT_EQ(deque.Pop(), 99 - i);
  }
}

// A thief stalls with element 1 in its hand; meanwhile the owner takes it and makes exactly
// as many claims as the tag has values. Returns what the thief got.
template <typename Index>
StealResult<int> StealAcrossACycleOfTheTag() {
  WorkStealingDeque<int, HookedPolicy<Index>> deque;
  deque.Push(1);
  using Claim = std::conditional_t<sizeof(Index) == 1, std::uint16_t, std::uint64_t>;
  Hooks<Claim>::before_rmw = [&] {
    for (int i = 0; i < 256; ++i) {
      EXPECT_EQ(deque.Pop(), i == 0 ? 1 : 2);
      deque.Push(2);
    }
  };
  return deque.Steal();
}

TEST(DequePitfallsTest, IndexAba) {
  // With 8 bits the claim word is what it was: element 1 is handed out twice. This is why
  // the width is a parameter and not 8.
  const StealResult<int> narrow = StealAcrossACycleOfTheTag<std::uint8_t>();
  ASSERT_TRUE(narrow.ok());
  EXPECT_EQ(narrow.value(), 1);
  // With 32 the same schedule is harmless.
  EXPECT_TRUE(StealAcrossACycleOfTheTag<std::uint32_t>().retry());
}

// Cycling the head through all of its values carries into the tag, so that claims at the
// front alone do not bring the word back even at 8 bits.
TEST(DequePitfallsTest, FrontClaimsDoNotRepeatTheWordWithTheIndex) {
  WorkStealingDeque<int, HookedPolicy<std::uint8_t>> deque;
  deque.Push(1);
  Hooks<std::uint16_t>::before_rmw = [&] {
    for (int i = 0; i < 256; ++i) {
      EXPECT_EQ(deque.PopFront(), i == 0 ? 1 : 2);
      deque.Push(2);
    }
  };
  EXPECT_TRUE(deque.Steal().retry());
  EXPECT_EQ(deque.Steal().value(), 2);
}

// A thief holds the pointer to a buffer that the owner replaces several times before the
// thief reads from it. AddressSanitizer watches.
TEST(DequePitfallsTest, RetiredBufferStaysReadable) {
  Deque deque;
  deque.Push(0);
  Slots::before_load = [&] {
    for (int i = 1; i < 10'000; ++i) deque.Push(i);
    EXPECT_EQ(deque.capacity(), 16'384u);
  };
  EXPECT_EQ(deque.Steal().value(), 0);
  for (int i = 1; i < 10'000; ++i) ASSERT_EQ(deque.Steal().value(), i);
}

// The receiver's own thieves see nothing of a batch before it is claimed.
TEST(DequePitfallsTest, UnclaimedBatchIsInvisibleInTheReceiver) {
  Deque victim;
  Deque thief;
  for (int i = 0; i < 8; ++i) victim.Push(i);
  Claims::before_rmw = [&] {
    EXPECT_EQ(thief.SizeHint(), 0u);
    EXPECT_TRUE(thief.Steal().empty());
  };
  EXPECT_EQ(victim.StealHalf(thief).count(), 4u);
  EXPECT_EQ(thief.SizeHint(), 3u);
}

}  // namespace
}  // namespace home
