// Drives futures with a reactor and nothing else: for tests below the
// scheduler.

#ifndef HOME_REACTOR_TESTING_H_
#define HOME_REACTOR_TESTING_H_

#include <atomic>
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

// Wakes a thread that turns a reactor, and counts how often. Lives as long as its last
// waker: who wakes may come back from it after the wait is over.
class ReactorWaker : public WakerTarget {
 public:
  // The first of its wakers, and `*wakes`, which lives as long as that one.
  static Waker Make(Reactor& reactor, const std::atomic<int>** wakes) {
    auto* self = new ReactorWaker(reactor);
    *wakes = &self->wakes_;
    return Waker(self);
  }

 private:
  explicit ReactorWaker(Reactor& reactor) : WakerTarget(&kVTable), reactor_(reactor) {}

  static ReactorWaker* Self(WakerTarget* target) { return static_cast<ReactorWaker*>(target); }
  static WakerTarget* OnClone(WakerTarget* target) {
    Self(target)->references_.fetch_add(1);
    return target;
  }
  static void OnWake(WakerTarget* target) {
    OnWakeByRef(target);
    OnDrop(target);
  }
  static void OnWakeByRef(WakerTarget* target) {
    Self(target)->wakes_.fetch_add(1);
    Self(target)->reactor_.Wake();
  }
  static void OnDrop(WakerTarget* target) {
    if (Self(target)->references_.fetch_sub(1) == 1) delete Self(target);
  }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  Reactor& reactor_;
  std::atomic<int> references_{1};
  std::atomic<int> wakes_{0};
};

// Polls `future` whenever it was woken, from whatever thread, and the reactor in between; once at
// least, as a worker does whose tasks never have to wait, or another thread is so quick that this
// one finds each of them done.
template <Future F>
FutureOutput<F> BlockOn(Reactor& reactor, F&& future) {
  ReactorScope scope(&reactor);
  const std::atomic<int>* wakes = nullptr;
  const Waker waker = ReactorWaker::Make(reactor, &wakes);
  bool turned = false;
  for (;;) {
    const int before = wakes->load();
    Context cx(waker);
    home::Poll<FutureOutput<F>> poll = future.Poll(cx);
    if (poll.ready()) {
      if (!turned) TurnOnce(reactor);
      return std::move(poll).value();
    }
    Turn(reactor);
    turned = true;
    TurnUntil(reactor, [&] { return wakes->load() != before; });
  }
}

}  // namespace home::testing

#endif  // HOME_REACTOR_TESTING_H_
