// EndWait: the wait of a future of one end of a channel, sender or receiver.

#ifndef HOME_CHANNEL_END_WAIT_H_
#define HOME_CHANNEL_END_WAIT_H_

#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/sync/wait.h"

namespace home::channel_internal {

// `Queue` is where the end waits, `Side<State, Step>` what it waits for (home/sync/wait.h), made of
// the channel's state and a step that tries: true once the future is done. Movable before its
// first poll.
template <typename State, typename Queue, template <typename, typename> typename Side>
class EndWait {
 public:
  explicit EndWait(State* state) noexcept : state_(state) {}
  EndWait(EndWait&& other) noexcept = default;
  EndWait& operator=(EndWait&&) = delete;
  ~EndWait() {
    if (!wait_.waiting()) return;
    Side side(*state_, [] { return false; });
    wait_.Cancel(side);
  }

  State& state() { return *state_; }

  // Whether a poll may try at once, without a look at who else waits.
  [[nodiscard]] bool MayTry() {
    Side side(*state_, [] { return false; });
    return ABSL_PREDICT_TRUE(!wait_.waiting() && !side.queue().MustQueue());
  }

  // Ready once `step()` was true; until then the task waits for `reason`. Inline, as all up to
  // the first try: the calls would cost half of what a ready value does.
  template <typename Step>
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<void> PollStep(Context& cx, const char* reason,
                                                         Step step) {
    if (!cx.ConsumeBudget()) return kPending;
    Side side(*state_, std::move(step));
    if (!wait_.Poll(side, cx.waker())) return cx.PendingFor(reason);
    return kReady;
  }
  // The same, out of line, for which the budget has been spent.
  template <typename Step>
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<void> PollPaidStep(Context& cx, const char* reason,
                                                             Step step) {
    Side side(*state_, std::move(step));
    if (!wait_.PollHere(side, cx.waker())) return cx.PendingFor(reason);
    return kReady;
  }

 private:
  State* state_;
  sync_internal::Wait<Queue> wait_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_END_WAIT_H_
