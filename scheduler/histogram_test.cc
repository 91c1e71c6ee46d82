#include "home/scheduler/histogram.h"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace home {
namespace {

using scheduler_internal::HistogramCounter;

TEST(HistogramTest, ABucketHoldsWhatIsAboveTheLastOnesBoundAndUpToItsOwn) {
  for (std::size_t i = 1; i < Histogram::kBuckets; ++i) {
    const std::uint64_t lower = Histogram::UpperBound(i - 1);
    const std::uint64_t upper = Histogram::UpperBound(i);
    ASSERT_LT(lower, upper);
    EXPECT_EQ(Histogram::BucketOf(lower), i - 1);
    EXPECT_EQ(Histogram::BucketOf(lower + 1), i);
    EXPECT_EQ(Histogram::BucketOf(upper), i);
    if (lower >= 8) {
      EXPECT_LE(upper, lower + lower / 4);
    }
  }
}

TEST(HistogramTest, PowersOfTwoAreBounds) {
  for (int bit = 0; bit <= 40; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    EXPECT_EQ(Histogram::UpperBound(Histogram::BucketOf(power)), power);
  }
}

TEST(HistogramTest, TheEndsTakeWhatIsBeyondThem) {
  EXPECT_EQ(Histogram::BucketOf(0), 0u);
  EXPECT_EQ(Histogram::BucketOf(UINT64_MAX), Histogram::kBuckets - 1);
  HistogramCounter counter;
  counter.Record(-5);
  counter.Record(INT64_MAX);
  Histogram histogram;
  counter.AddTo(histogram);
  EXPECT_EQ(histogram.bucket(0), 1u);
  EXPECT_EQ(histogram.bucket(Histogram::kBuckets - 1), 1u);
}

TEST(HistogramTest, CountSumAndQuantiles) {
  HistogramCounter counter;
  for (int i = 1; i <= 100; ++i) counter.Record(std::int64_t{1024} * i);
  Histogram histogram;
  counter.AddTo(histogram);
  EXPECT_EQ(histogram.count(), 100u);
  EXPECT_EQ(histogram.sum(), absl::Nanoseconds(1024 * 5050));
  EXPECT_EQ(histogram.Quantile(0), absl::Nanoseconds(1024));
  EXPECT_EQ(histogram.Quantile(0.01), absl::Nanoseconds(1024));
  EXPECT_EQ(histogram.Quantile(0.64), absl::Nanoseconds(1024 * 64));
  EXPECT_EQ(histogram.Quantile(1), absl::Nanoseconds(1024 * 112));
}

TEST(HistogramTest, SeveralAddUp) {
  HistogramCounter one;
  HistogramCounter two;
  one.Record(100);
  two.Record(100);
  two.Record(200);
  Histogram histogram;
  one.AddTo(histogram);
  two.AddTo(histogram);
  EXPECT_EQ(histogram.bucket(Histogram::BucketOf(100)), 2u);
  EXPECT_EQ(histogram.sum(), absl::Nanoseconds(400));
}

TEST(HistogramTest, AnEmptyOneHasZeroQuantiles) {
  EXPECT_EQ(Histogram().Quantile(0.5), absl::ZeroDuration());
}

}  // namespace
}  // namespace home
