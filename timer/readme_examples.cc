// The code that README.md shows, where such code may stand (home_readme_examples in
// tools/home_cc.bzl). It is compiled, and not run.

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/future/async.h"
#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"
#include "home/timer/deadline.h"
#include "home/timer/delay_queue.h"
#include "home/timer/hedge.h"
#include "home/timer/instant.h"
#include "home/timer/rate_limit.h"
#include "home/timer/retry.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

struct Page {};
struct Session {};

Async<absl::StatusOr<Page>> Fetch(int) { co_return Page(); }
Async<absl::StatusOr<Page>> Handle(int) { co_return Page(); }

[[maybe_unused]] Async<> Example(int url, int request, Instant deadline, Instant received,
                                 RateLimiter& limiter, DelayQueue<Session>& idle_sessions) {
#include "home/timer/readme_1.inc"
}

[[maybe_unused]] void ExampleOfATest() {
#include "home/timer/readme_2.inc"
}

}  // namespace
}  // namespace home
