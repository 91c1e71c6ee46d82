#include "home/timer/interval.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "home/timer/timer_service.h"

namespace home {

Interval::Interval(absl::Duration period, MissedTick missed, TimerPrecision precision)
    : period_(ToNanosecondsRoundedUp(period)),
      missed_(missed),
      sleep_(absl::ZeroDuration(), precision) {
  if (period_ <= 0) {
    std::fprintf(stderr, "home: an Interval needs a period above zero, not %s\n",
                 absl::FormatDuration(period).c_str());
    std::abort();
  }
}

void Interval::Reset() {
  sleep_.Reset(absl::ZeroDuration());
  clock_ = nullptr;
}

void Interval::Stop() { sleep_.Reset(next_); }

home::Poll<Instant> Interval::PollTick(Context& cx) {
  if (clock_ == nullptr) {
    std::size_t shard = 0;
    clock_ = &TimerService::CurrentOrDie("Interval", shard).clock();
    next_ = clock_->Now().PlusNanoseconds(period_);
    sleep_.Reset(next_);
  }
  if (sleep_.Poll(cx).pending()) return kPending;
  const Instant tick = next_;
  next_ = After(tick, clock_->Now());
  sleep_.Reset(next_);
  return tick;
}

Instant Interval::After(Instant tick, Instant now) const {
  const Instant following = tick.PlusNanoseconds(period_);
  // Not missed: also a late tick keeps the beat.
  if (following > now) return following;
  switch (missed_) {
    case MissedTick::kBurst:
      break;
    case MissedTick::kSkip: {
      // Both are clock times that were reached: their distance can't overflow.
      const std::int64_t late = now.nanoseconds() - tick.nanoseconds();
      return now.PlusNanoseconds(period_ - late % period_);
    }
    case MissedTick::kDelay:
      return now.PlusNanoseconds(period_);
  }
  return following;
}

}  // namespace home
