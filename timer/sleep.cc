#include "home/timer/sleep.h"

#include <cassert>

namespace home {

home::Poll<void> Sleep::Poll(Context& cx) noexcept {
  assert(phase() != Phase::kDone && "a Sleep was polled after it was ready");
  if (phase() <= Phase::kAbsolute) {
    Start(cx.waker());
    if (phase() == Phase::kWaiting) return cx.PendingFor("sleep");
  }
  if (phase() == Phase::kWaiting) {
    // An infinite one was never armed.
    if (state() == State::kIdle || TimerService::UpdateWaker(*this, cx.waker())) {
      return cx.PendingFor("sleep");
    }
    set_phase(Phase::kDue);
  }
  // A loop over sleeps that are due at once must not starve the worker.
  if (!cx.ConsumeBudget()) return kPending;
  set_phase(Phase::kDone);
  return kReady;
}

void Sleep::Start(const Waker& waker) noexcept {
  std::size_t shard = 0;
  TimerService& service = TimerService::CurrentOrDie("Sleep", shard);
  Instant deadline = Instant::FromNanoseconds(nanos());
  if (phase() == Phase::kRelative && nanos() <= 0) {
    set_phase(Phase::kDue);
    return;
  }
  if (!deadline.is_infinite()) {  // so is an infinite duration's
    const Instant now = service.Now();
    if (phase() == Phase::kRelative) deadline = now.PlusNanoseconds(nanos());
    if (deadline <= now) {
      set_phase(Phase::kDue);
      return;
    }
  }
  set_phase(Phase::kWaiting);
  if (!deadline.is_infinite()) service.Arm(*this, shard, deadline, waker.Clone(), precision());
}

void Sleep::Reset(absl::Duration duration) {
  if (phase() == Phase::kWaiting) TimerService::Cancel(*this);
  set_nanos(ToNanosecondsRoundedUp(duration));
  set_phase(Phase::kRelative);
}

void Sleep::Reset(Instant deadline) {
  if (phase() == Phase::kWaiting) TimerService::Cancel(*this);
  set_nanos(deadline.nanoseconds());
  set_phase(Phase::kAbsolute);
}

}  // namespace home
