// Histogram: how often durations of each length occurred.
//
// Buckets are log-linear, as in HdrHistogram: an octave, from one power of two to the
// next, is cut into four equal buckets, so a value is known to a quarter of itself
// whatever its magnitude, from 8 nanoseconds to 18 minutes, in 156 buckets. A bucket
// holds what is longer than its lower bound and no longer than its upper one, so that
// every power of two is a bound at which the counts are exact, as Prometheus asks.

#ifndef HOME_SCHEDULER_HISTOGRAM_H_
#define HOME_SCHEDULER_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "home/scheduler/counter.h"

namespace home {

// A snapshot: a plain value of 1.2 KB.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 156;

  // The bucket of a value; what is above the last bound is in the last bucket.
  [[nodiscard]] static constexpr std::size_t BucketOf(std::uint64_t nanoseconds) {
    const std::uint64_t value = nanoseconds == 0 ? 0 : nanoseconds - 1;
    const int shift = std::bit_width(value | (2 * kPerOctave - 1)) - (kOctaveBits + 1);
    const auto bucket = static_cast<std::uint64_t>(shift) * kPerOctave + (value >> shift);
    return static_cast<std::size_t>(std::min<std::uint64_t>(bucket, kBuckets - 1));
  }
  // In nanoseconds. The last bucket has none in truth.
  [[nodiscard]] static constexpr std::uint64_t UpperBound(std::size_t bucket) {
    const std::uint64_t next = bucket + 1;
    if (next < 2 * kPerOctave) return next;
    return (next % kPerOctave + kPerOctave) << (next / kPerOctave - 1);
  }

  void AddBucket(std::size_t bucket, std::uint64_t count) { buckets_[bucket] += count; }
  void AddToSum(std::uint64_t nanoseconds) { sum_ += nanoseconds; }

  // How many values there are.
  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t bucket : buckets_) sum += bucket;
    return sum;
  }
  // Of all values, exactly.
  [[nodiscard]] absl::Duration sum() const {
    return absl::Nanoseconds(static_cast<std::int64_t>(sum_));
  }
  // How many values are in a bucket.
  [[nodiscard]] std::uint64_t bucket(std::size_t index) const { return buckets_[index]; }

  // What a share of `quantile`, from 0 to 1, of all values does not exceed: at most a
  // quarter too much. Zero if there are no values.
  [[nodiscard]] absl::Duration Quantile(double quantile) const {
    const auto wanted = static_cast<std::uint64_t>(
        std::max(1.0, std::ceil(quantile * static_cast<double>(count()))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen >= wanted) return absl::Nanoseconds(static_cast<std::int64_t>(UpperBound(i)));
    }
    return absl::ZeroDuration();
  }

 private:
  static constexpr int kOctaveBits = 2;
  static constexpr std::uint64_t kPerOctave = 1 << kOctaveBits;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t sum_ = 0;
};

namespace scheduler_internal {

// A histogram with one writer. To record is two loads and two stores.
class HistogramCounter {
 public:
  void Record(std::int64_t nanoseconds) {
    // A clock that a test set back.
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    buckets_[Histogram::BucketOf(value)].Add();
    sum_.Add(value);
  }

  void AddTo(Histogram& histogram) const {
    for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
      histogram.AddBucket(i, buckets_[i].value());
    }
    histogram.AddToSum(sum_.value());
  }

 private:
  std::array<Counter, Histogram::kBuckets> buckets_;
  Counter sum_;
};

}  // namespace scheduler_internal
}  // namespace home

#endif  // HOME_SCHEDULER_HISTOGRAM_H_
