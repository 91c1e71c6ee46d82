#include "home/timer/wheel.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace home {
namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

// Moves the wheel to `now`; returns what was due.
std::vector<TimerEntry*> AdvanceTo(TimerWheel& wheel, std::uint64_t now) {
  std::vector<TimerEntry*> due;
  std::size_t budget = kUnlimited;
  while (TimerEntry* entry = wheel.PopDue(now, budget)) due.push_back(entry);
  EXPECT_EQ(wheel.elapsed(), now);
  return due;
}

using Entries = std::vector<TimerEntry*>;

// The seed design's first test.
TEST(TimerWheelTest, Init) {
  TimerWheel wheel(1000);
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(wheel.elapsed(), 1000u);
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
  EXPECT_EQ(AdvanceTo(wheel, 5000), Entries{});
}

// The seed design's second test.
TEST(TimerWheelTest, ScheduleAndAdvance) {
  TimerWheel wheel;
  TimerEntry a, b, c;
  wheel.Insert(b, 20);
  wheel.Insert(a, 10);
  wheel.Insert(c, 300);
  EXPECT_EQ(wheel.size(), 3u);
  EXPECT_EQ(wheel.NextTick(), 10u);
  EXPECT_EQ(AdvanceTo(wheel, 9), Entries{});
  EXPECT_EQ(AdvanceTo(wheel, 10), Entries{&a});
  EXPECT_EQ(wheel.NextTick(), 20u);
  EXPECT_EQ(AdvanceTo(wheel, 299), Entries{&b});
  EXPECT_EQ(AdvanceTo(wheel, 1'000'000), Entries{&c});
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheelTest, PastTickIsDueAtOnce) {
  TimerWheel wheel(500);
  TimerEntry past, present;
  wheel.Insert(past, 3);
  wheel.Insert(present, 500);
  EXPECT_EQ(wheel.NextTick(), 500u);
  EXPECT_EQ(AdvanceTo(wheel, 500), (Entries{&past, &present}));
}

TEST(TimerWheelTest, EntriesOfOneTickKeepTheirOrder) {
  for (const std::uint64_t tick : {7ull, 700ull, 70'000ull, 70'000'000ull}) {
    TimerWheel wheel;
    TimerEntry a, b, c;
    wheel.Insert(a, tick);
    wheel.Insert(b, tick);
    wheel.Insert(c, tick);
    EXPECT_EQ(AdvanceTo(wheel, tick), (Entries{&a, &b, &c})) << tick;
  }
}

TEST(TimerWheelTest, RemoveFromHeadMiddleAndTail) {
  for (int removed = 0; removed < 3; ++removed) {
    TimerWheel wheel;
    TimerEntry entries[3];
    Entries left;
    for (TimerEntry& entry : entries) wheel.Insert(entry, 1000);
    wheel.Remove(entries[removed]);
    EXPECT_FALSE(entries[removed].linked());
    EXPECT_EQ(wheel.size(), 2u);
    for (int i = 0; i < 3; ++i) {
      if (i != removed) left.push_back(&entries[i]);
    }
    EXPECT_EQ(AdvanceTo(wheel, 1000), left);
  }
}

TEST(TimerWheelTest, RemoveOfTheLastClearsTheSlot) {
  TimerWheel wheel;
  TimerEntry entry;
  for (const std::uint64_t tick : {7ull, 700ull, 70'000ull, 70'000'000ull, 70'000'000'000ull}) {
    wheel.Insert(entry, tick);
    EXPECT_NE(wheel.NextTick(), TimerWheel::kNever);
    wheel.Remove(entry);
    EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
  }
}

// A driver that sleeps until a lonely timer wakes once, whatever level that waits in.
TEST(TimerWheelTest, NextTickOfFewEntriesIsExact) {
  for (const std::uint64_t tick : {7ull, 777ull, 77'777ull, 77'777'777ull, 77'777'777'777ull}) {
    TimerWheel wheel(5);
    TimerEntry later, first;
    wheel.Insert(later, tick + 1);
    wheel.Insert(first, tick);
    EXPECT_EQ(wheel.NextTick(), tick);
    EXPECT_EQ(AdvanceTo(wheel, tick), Entries{&first});
    EXPECT_EQ(wheel.NextTick(), tick + 1);
    wheel.Remove(later);
  }
}

// W2: one that waits in a block before its own says nothing about those behind that block.
TEST(TimerWheelTest, NextTickOfAFarEntryIsItsBlock) {
  TimerWheel wheel;
  TimerEntry far, nearer;
  wheel.Insert(far, std::uint64_t{1} << 45);
  EXPECT_EQ(AdvanceTo(wheel, std::uint64_t{1} << 32), Entries{});
  wheel.Insert(nearer, std::uint64_t{256} << 32);
  EXPECT_EQ(wheel.NextTick(), std::uint64_t{255} << 32);
  EXPECT_EQ(AdvanceTo(wheel, std::uint64_t{256} << 32), Entries{&nearer});
  wheel.Remove(far);
}

// What is due at the start of a block does not go through the levels below.
TEST(TimerWheelTest, EntryDueAtABlocksStartIsReturnedAtOnce) {
  TimerWheel wheel;
  TimerEntry entry;
  wheel.Insert(entry, 3 * 65536);
  std::size_t budget = 1;
  EXPECT_EQ(wheel.PopDue(3 * 65536, budget), &entry);
}

// A timer one tick behind every level's boundary is neither early nor lost.
TEST(TimerWheelTest, WrapsAroundEveryLevel) {
  for (unsigned bits : {8u, 16u, 24u, 32u, 40u, 48u}) {
    const std::uint64_t boundary = std::uint64_t{1} << bits;
    for (std::uint64_t start = boundary - 2; start <= boundary; ++start) {
      for (std::uint64_t tick = start; tick <= boundary + 2; ++tick) {
        TimerWheel wheel(start);
        TimerEntry entry;
        wheel.Insert(entry, tick);
        for (std::uint64_t now = start; now < tick; ++now) {
          ASSERT_EQ(AdvanceTo(wheel, now), Entries{}) << start << " " << tick << " " << now;
        }
        ASSERT_EQ(AdvanceTo(wheel, tick), Entries{&entry}) << start << " " << tick;
      }
    }
  }
}

TEST(TimerWheelTest, DeadlineBeyondTheSpanIsSortedInAnew) {
  const std::uint64_t start = 0x12345678;
  const std::uint64_t tick = start + (std::uint64_t{5} << 40) + 77;
  TimerWheel wheel(start);
  TimerEntry entry;
  wheel.Insert(entry, tick);
  int hops = 0;
  while (wheel.NextTick() < tick) {
    const std::uint64_t next = wheel.NextTick();
    ASSERT_GT(next, wheel.elapsed());
    ASSERT_EQ(AdvanceTo(wheel, next), Entries{});
    ++hops;
  }
  EXPECT_LE(hops, 5 + 1 + 4);
  EXPECT_EQ(AdvanceTo(wheel, tick - 1), Entries{});
  EXPECT_EQ(AdvanceTo(wheel, tick), Entries{&entry});
}

TEST(TimerWheelTest, OneAdvanceOverManySpans) {
  TimerWheel wheel(3);
  TimerEntry near, far;
  wheel.Insert(far, std::uint64_t{1} << 51);  // 292 years
  wheel.Insert(near, 5);
  EXPECT_EQ(AdvanceTo(wheel, (std::uint64_t{1} << 51) - 1), Entries{&near});
  EXPECT_EQ(AdvanceTo(wheel, std::uint64_t{1} << 51), Entries{&far});
}

TEST(TimerWheelTest, ClockThatGoesBackFiresNothingEarly) {
  TimerWheel wheel;
  TimerEntry entry;
  EXPECT_EQ(AdvanceTo(wheel, 1000), Entries{});
  wheel.Insert(entry, 900);
  std::size_t budget = kUnlimited;
  EXPECT_EQ(wheel.PopDue(899, budget), nullptr);
  EXPECT_EQ(wheel.elapsed(), 1000u);
  EXPECT_EQ(AdvanceTo(wheel, 1000), Entries{&entry});
}

TEST(TimerWheelTest, CascadeIsBoundedByTheBudget) {
  constexpr std::size_t kEntries = 1000;
  constexpr std::uint64_t kTick = 3 * 65536 + 300;
  TimerWheel wheel;
  std::vector<std::unique_ptr<TimerEntry>> entries;
  for (std::size_t i = 0; i < kEntries; ++i) {
    entries.push_back(std::make_unique<TimerEntry>());
    wheel.Insert(*entries.back(), kTick);  // level 2, then 1, then 0
  }
  std::size_t calls = 0;
  std::size_t fired = 0;
  for (;; ++calls) {
    std::size_t budget = 10;
    while (wheel.PopDue(kTick, budget) != nullptr) ++fired;
    if (budget != 0) break;
    if (wheel.NextTick() != TimerWheel::kNever) {
      ASSERT_LE(wheel.NextTick(), kTick);
    }
  }
  EXPECT_EQ(fired, kEntries);
  EXPECT_EQ(calls, 3 * kEntries / 10);
}

// Those of the next slot of level 2 do not hold up what is due at its start.
TEST(TimerWheelTest, EntriesAreMovedAheadOfTheirBlock) {
  constexpr std::uint64_t kBlock = 65536;
  TimerWheel wheel(2 * kBlock);
  TimerEntry many[90];
  TimerEntry first, late;
  for (TimerEntry& entry : many) wheel.Insert(entry, 4 * kBlock + 1000);
  wheel.Insert(first, 4 * kBlock + 256);
  EXPECT_EQ(AdvanceTo(wheel, 3 * kBlock + 10), Entries{});
  wheel.Insert(late, 4 * kBlock + 1000);
  EXPECT_EQ(wheel.NextTick(), 4 * kBlock + 256);
  std::size_t budget = 2;
  EXPECT_EQ(wheel.PopDue(4 * kBlock + 256, budget), &first);
  Entries expected;
  for (TimerEntry& entry : many) expected.push_back(&entry);
  expected.push_back(&late);
  EXPECT_EQ(AdvanceTo(wheel, 4 * kBlock + 1000), expected);
}

// As long as some of them wait where they were, nobody overtakes them.
TEST(TimerWheelTest, EntriesThatAreMovedAheadKeepTheirOrder) {
  constexpr std::uint64_t kBlock = 65536;
  TimerWheel wheel(2 * kBlock);
  TimerEntry many[250];
  TimerEntry late;
  for (TimerEntry& entry : many) wheel.Insert(entry, 4 * kBlock + 1000);
  EXPECT_EQ(AdvanceTo(wheel, 3 * kBlock + 10), Entries{});
  wheel.Insert(late, 4 * kBlock + 1000);
  EXPECT_EQ(wheel.NextTick(), 4 * kBlock);
  EXPECT_EQ(AdvanceTo(wheel, 3 * kBlock + 20), Entries{});
  Entries expected;
  for (TimerEntry& entry : many) expected.push_back(&entry);
  expected.push_back(&late);
  EXPECT_EQ(AdvanceTo(wheel, 4 * kBlock + 1000), expected);
}

// The first of them, due before the block's second slot, are no exception, whether all of them or
// some were moved ahead.
TEST(TimerWheelTest, EntriesAtABlocksStartThatWereMovedAhead) {
  constexpr std::uint64_t kBlock = 65536;
  for (const std::size_t count : {90u, 250u}) {
    TimerWheel wheel(2 * kBlock);
    std::vector<TimerEntry> entries(count);
    Entries expected;
    for (TimerEntry& entry : entries) {
      wheel.Insert(entry, 4 * kBlock + 200);
      expected.push_back(&entry);
    }
    EXPECT_EQ(AdvanceTo(wheel, 3 * kBlock + 10), Entries{});
    EXPECT_EQ(AdvanceTo(wheel, 4 * kBlock + 199), Entries{});
    EXPECT_EQ(wheel.NextTick(), 4 * kBlock + 200);
    EXPECT_EQ(AdvanceTo(wheel, 4 * kBlock + 200), expected);
    EXPECT_TRUE(wheel.empty());
  }
}

// Arming and cancelling go on while a cascade has stopped half way.
TEST(TimerWheelTest, InsertAndRemoveAmidACascade) {
  TimerWheel wheel;
  TimerEntry a, b, c, extra, past;
  wheel.Insert(a, 260);
  wheel.Insert(b, 270);
  wheel.Insert(c, 280);
  std::size_t budget = 1;
  EXPECT_EQ(wheel.PopDue(275, budget), nullptr);
  EXPECT_EQ(budget, 0u);
  EXPECT_EQ(wheel.elapsed(), 256u);
  EXPECT_EQ(wheel.NextTick(), 256u);  // there is something to do
  wheel.Remove(b);                    // not cascaded yet
  wheel.Insert(extra, 265);
  wheel.Insert(past, 1);
  EXPECT_EQ(AdvanceTo(wheel, 275), (Entries{&past, &a, &extra}));
  EXPECT_EQ(AdvanceTo(wheel, 280), Entries{&c});
}

TEST(TimerWheelTest, CascadeWhoseRestIsRemoved) {
  TimerWheel wheel;
  TimerEntry a, b;
  wheel.Insert(a, 260);
  wheel.Insert(b, 270);
  std::size_t budget = 1;
  EXPECT_EQ(wheel.PopDue(300, budget), nullptr);
  wheel.Remove(a);
  wheel.Remove(b);
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
  wheel.Insert(b, 256 + 256 + 5);
  EXPECT_EQ(AdvanceTo(wheel, 516), Entries{});
  EXPECT_EQ(AdvanceTo(wheel, 517), Entries{&b});
}

TEST(TimerWheelTest, EntryIsSmall) {
  EXPECT_LE(sizeof(TimerEntry), 32u);
  EXPECT_LE(sizeof(TimerWheel), 12u * 1024 + 224);
}

}  // namespace
}  // namespace home
