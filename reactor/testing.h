// Drives futures with a reactor and nothing else: for tests below the
// scheduler.

#ifndef HOME_REACTOR_TESTING_H_
#define HOME_REACTOR_TESTING_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/reactor/reactor.h"

namespace home::testing {

// No test waits longer for something that must happen.
inline constexpr std::int64_t kHangGuardNanos = 60'000'000'000;

// Polls the reactor once, blocking, and wakes.
inline std::size_t Turn(Reactor& reactor) {
  WakeList wakes;
  const std::size_t count = reactor.Poll(kHangGuardNanos, wakes);
  wakes.WakeAll();
  return count;
}

// Takes what the reactor has, without waiting. Returns the number of events.
inline std::size_t TurnOnce(Reactor& reactor) {
  WakeList wakes;
  const std::size_t count = reactor.Poll(0, wakes);
  wakes.WakeAll();
  return count;
}

// Turns the reactor until `done()` says so. Dies if that takes too long.
template <typename Done>
void TurnUntil(Reactor& reactor, Done done) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds(kHangGuardNanos);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) {
      std::fprintf(stderr, "home test: what the test waits for doesn't happen\n");
      std::abort();
    }
    Turn(reactor);
  }
}

// Polls `future` whenever it was woken, and the reactor in between.
template <Future F>
FutureOutput<F> BlockOn(Reactor& reactor, F&& future) {
  ReactorScope scope(&reactor);
  CountingWaker counter;
  for (;;) {
    const int wakes = counter.wakes();
    home::Poll<FutureOutput<F>> poll = PollOnce(future, counter);
    if (poll.ready()) return std::move(poll).value();
    TurnUntil(reactor, [&] { return counter.wakes() != wakes; });
  }
}

}  // namespace home::testing

#endif  // HOME_REACTOR_TESTING_H_
