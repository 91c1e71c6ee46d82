// RandomBits and RandomScope, and that a Select draws from them.

#include "home/future/random.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::PollOnce;

TEST(RandomTest, AScopeRepeatsItsNumbersOnAnyThread) {
  const auto draw = [] {
    const RandomScope scope(42);
    std::vector<std::uint64_t> drawn(8);
    for (auto& number : drawn) number = RandomBits();
    return drawn;
  };
  const auto first = draw();
  EXPECT_EQ(draw(), first);
  std::vector<std::uint64_t> elsewhere;
  std::thread thread([&] { elsewhere = draw(); });
  thread.join();
  EXPECT_EQ(elsewhere, first);
  EXPECT_EQ(std::set<std::uint64_t>(first.begin(), first.end()).size(), 8u);
}

TEST(RandomTest, AGeneratorIsAsItsSeedAndDisturbsNobody) {
  RandomGenerator generator(42);
  const RandomScope scope(42);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(generator.Bits(), RandomBits());
  RandomGenerator same(7);
  RandomGenerator other(8);
  EXPECT_NE(same.Bits(), other.Bits());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(generator.Below(3), 3u);
}

TEST(RandomTest, ScopesNest) {
  const RandomScope outer(1);
  const std::uint64_t first = RandomBits();
  std::uint64_t inner_first = 0;
  {
    const RandomScope inner(1);
    inner_first = RandomBits();
  }
  EXPECT_EQ(inner_first, first);
  EXPECT_NE(RandomBits(), first);
}

TEST(RandomTest, ThreadsDifferWithoutAScope) {
  std::uint64_t here = 0;
  std::uint64_t there = 0;
  std::thread one([&] { here = RandomBits(); });
  one.join();
  std::thread two([&] { there = RandomBits(); });
  two.join();
  EXPECT_NE(here, there);
}

TEST(RandomTest, IsWithinItsBoundsAndSpread) {
  const RandomScope scope(7);
  int counts[5] = {};
  for (int i = 0; i < 5000; ++i) ++counts[RandomBelow(5)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const double unit = RandomUnit();
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    sum += unit;
  }
  EXPECT_NEAR(sum, 500, 50);
}

// The winners of a hundred Selects over three futures that are ready.
std::string Winners() {
  std::string winners;
  for (int i = 0; i < 100; ++i) {
    auto future = Select(Ready(1), Ready(2), Ready(3));
    auto winner = PollOnce(future);
    winners += static_cast<char>('a' + (*winner).index());
  }
  return winners;
}

TEST(RandomTest, ASelectIsFairAndRepeatableUnderAScope) {
  const auto seeded = [](std::uint64_t seed) {
    const RandomScope scope(seed);
    return Winners();
  };
  const std::string winners = seeded(3);
  EXPECT_EQ(seeded(3), winners);
  EXPECT_NE(seeded(4), winners);
  for (const char who : {'a', 'b', 'c'}) {
    const auto wins = std::count(winners.begin(), winners.end(), who);
    EXPECT_GT(wins, 15) << who;
  }
}

}  // namespace
}  // namespace home
