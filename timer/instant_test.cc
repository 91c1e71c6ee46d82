#include "home/timer/instant.h"

#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace home {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Instant At(std::int64_t nanos) { return Instant::FromNanoseconds(nanos); }

TEST(InstantTest, AddsAndSubtractsDurations) {
  EXPECT_EQ(At(5) + absl::Nanoseconds(7), At(12));
  EXPECT_EQ(absl::Seconds(1) + At(1), At(1'000'000'001));
  EXPECT_EQ(At(5) - absl::Nanoseconds(7), At(-2));
  Instant instant = At(10);
  instant += absl::Microseconds(1);
  EXPECT_EQ(instant, At(1010));
  instant -= absl::Nanoseconds(10);
  EXPECT_EQ(instant, At(1000));
}

TEST(InstantTest, DifferenceOfInstantsIsADuration) {
  EXPECT_EQ(At(12) - At(5), absl::Nanoseconds(7));
  EXPECT_EQ(At(5) - At(12), -absl::Nanoseconds(7));
  EXPECT_EQ(At(kMax - 1) - At(-kMax + 1), absl::Nanoseconds(kMax - 1) * 2);
}

TEST(InstantTest, Orders) {
  EXPECT_LT(At(1), At(2));
  EXPECT_LT(At(2), Instant::Infinite());
  EXPECT_LT(Instant::InfinitePast(), At(-2));
  EXPECT_EQ(Instant(), At(0));
}

TEST(InstantTest, SaturatesInsteadOfOverflowing) {
  EXPECT_EQ(At(kMax - 1) + absl::Nanoseconds(2), Instant::Infinite());
  EXPECT_EQ(At(1) + absl::InfiniteDuration(), Instant::Infinite());
  EXPECT_EQ(At(1) + absl::Hours(24) * 365 * 1000, Instant::Infinite());
  EXPECT_EQ(At(-2) - absl::InfiniteDuration(), Instant::InfinitePast());
  EXPECT_EQ(At(-2) - absl::Hours(24) * 365 * 1000, Instant::InfinitePast());
}

TEST(InstantTest, InfiniteStaysInfinite) {
  EXPECT_TRUE(Instant::Infinite().is_infinite());
  EXPECT_FALSE(At(0).is_infinite());
  EXPECT_EQ(Instant::Infinite() - absl::Seconds(1), Instant::Infinite());
  EXPECT_EQ(Instant::Infinite() - absl::InfiniteDuration(), Instant::Infinite());
  EXPECT_EQ(Instant::Infinite() - At(0), absl::InfiniteDuration());
  EXPECT_EQ(At(0) - Instant::Infinite(), -absl::InfiniteDuration());
  EXPECT_EQ(Instant::Infinite() - Instant::Infinite(), absl::ZeroDuration());
}

// PITFALL "rounding": a deadline finer than the clock must not come early.
TEST(InstantTest, FractionsOfANanosecondRoundUp) {
  EXPECT_EQ(ToNanosecondsRoundedUp(absl::Nanoseconds(1) / 4), 1);
  EXPECT_EQ(ToNanosecondsRoundedUp(absl::Nanoseconds(3)), 3);
  EXPECT_EQ(ToNanosecondsRoundedUp(-absl::Nanoseconds(1) / 4), 0);
  EXPECT_EQ(ToNanosecondsRoundedUp(-absl::Nanoseconds(7) / 4), -1);
  EXPECT_EQ(ToNanosecondsRoundedUp(absl::InfiniteDuration()), kMax);
  EXPECT_EQ(At(5) + absl::Nanoseconds(1) / 4, At(6));
  EXPECT_EQ(At(5) - absl::Nanoseconds(1) / 4, At(5));
}

}  // namespace
}  // namespace home
