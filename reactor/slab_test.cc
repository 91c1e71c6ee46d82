#include "home/reactor/slab.h"

#include <vector>

#include "gtest/gtest.h"

namespace home::reactor_internal {
namespace {

TEST(SlotSlabTest, SlotsKeepTheirAddressesAndNumbers) {
  SlotSlab slab;
  std::vector<Slot*> slots;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    slots.push_back(slab.Allocate());
    ASSERT_NE(slots.back(), nullptr);
    EXPECT_EQ(slots.back()->index, i);
  }
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(slab.Find(i), slots[i]);
}

TEST(SlotSlabTest, FreedSlotsAreUsedAgain) {
  SlotSlab slab;
  Slot* first = slab.Allocate();
  Slot* second = slab.Allocate();
  slab.Free(first);
  slab.Free(second);
  EXPECT_EQ(slab.Allocate(), second);
  EXPECT_EQ(slab.Allocate(), first);
  EXPECT_EQ(slab.used(), 2u);
}

TEST(SlotSlabTest, UnknownNumbersAreNotFound) {
  SlotSlab slab;
  EXPECT_EQ(slab.Find(0), nullptr);
  EXPECT_EQ(slab.Find(UINT32_MAX), nullptr);
  slab.Allocate();
  EXPECT_NE(slab.Find(63), nullptr);  // allocated with its chunk, never handed out
  EXPECT_EQ(slab.Find(64), nullptr);
}

}  // namespace
}  // namespace home::reactor_internal
