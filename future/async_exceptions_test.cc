// Exceptions that leave a coroutine: they pass through any depth, destroy what
// is on their way, and cancel the siblings in a Join before its storage goes.

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_testing.h"
#include "home/future/join.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Gate;
using testing::PollOnce;
using testing::Tracked;

Async<int> ThrowAt(int depth, Gate* gate) {
  if (depth == 0) {
    if (gate != nullptr) co_await Gate::Wait(*gate);
    throw std::runtime_error("at the bottom");
  }
  int value = co_await ThrowAt(depth - 1, gate);
  co_return value;
}

std::string PollAndCatch(Async<int>& future) {
  try {
    static_cast<void>(PollOnce(future));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(AsyncExceptionsTest, AnExceptionPassesThroughAnyDepth) {
  for (int depth : {0, 1, 2, 100, 10'000}) {
    Async<int> future = ThrowAt(depth, nullptr);
    EXPECT_EQ(PollAndCatch(future), "at the bottom") << depth;
  }
}

TEST(AsyncExceptionsTest, AnExceptionPassesThroughASuspendedChain) {
  for (int depth : {0, 1, 2, 100, 10'000}) {
    Gate gate;
    Async<int> future = ThrowAt(depth, &gate);
    EXPECT_TRUE(PollOnce(future).pending());
    gate.Open(0);
    EXPECT_EQ(PollAndCatch(future), "at the bottom") << depth;
  }
}

Async<int> Level(int depth, std::vector<std::string>* log) {
  Tracked tracked(log, "level " + std::to_string(depth));
  if (depth == 0) throw std::runtime_error("at the bottom");
  int value = co_await Level(depth - 1, log);
  co_return value;
}

TEST(AsyncExceptionsTest, LocalsDieInnermostFirst) {
  std::vector<std::string> log;
  Async<int> future = Level(2, &log);
  EXPECT_EQ(PollAndCatch(future), "at the bottom");
  EXPECT_EQ(log, (std::vector<std::string>{"level 0", "level 1", "level 2"}));
}

// Caught half way, the coroutine goes on and may await again.
TEST(AsyncExceptionsTest, AnExceptionIsCaughtAtAnyAwaitAndTheCoroutineGoesOn) {
  auto body = []() -> Async<int> {
    int caught = 0;
    for (int i = 0; i < 3; ++i) {
      try {
        int value = co_await ThrowAt(i, nullptr);
        caught -= value;
      } catch (const std::runtime_error&) {
        ++caught;
      }
    }
    int more = co_await Ready(10);
    co_return caught + more;
  };
  Async<int> future = body();
  EXPECT_EQ(*PollOnce(future), 13);
}

// An Async whose local waits on other parts of its frame's owner: destroying
// the siblings late would be a use after free, which ASan sees, and early or
// not at all shows in the log.
Async<int> WaitWith(Gate& gate, std::vector<std::string>* log, std::string name) {
  Tracked tracked(log, std::move(name));
  int value = co_await Gate::Wait(gate);
  co_return value;
}

Async<int> ThrowAfter(Gate& gate) {
  co_await Gate::Wait(gate);
  throw std::runtime_error("one of several");
}

// Pitfall 38: the siblings' gates and log live as long as the coroutine that
// joins, whose catch block already sees the siblings gone.
TEST(AsyncExceptionsTest, SiblingsInAJoinAreCancelledBeforeTheExceptionIsSeen) {
  Gate trigger;
  std::vector<std::string> log;
  auto body = [](Gate& start, std::vector<std::string>* out) -> Async<bool> {
    Gate never;
    bool cancelled_first = false;
    try {
      auto all =
          Join(WaitWith(never, out, "before"), ThrowAfter(start), WaitWith(never, out, "after"));
      auto values = co_await all;
      static_cast<void>(values);
    } catch (const std::runtime_error&) {
      cancelled_first = out->size() == 2 && !never.has_waker();
    }
    co_return cancelled_first;
  };
  CountingWaker counter;
  Async<bool> future = body(trigger, &log);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_TRUE(log.empty());
  trigger.Open(0);
  EXPECT_TRUE(*PollOnce(future, counter));
}

TEST(AsyncExceptionsTest, SiblingsInAnAwaitedTupleAreCancelledToo) {
  Gate trigger;
  std::vector<std::string> log;
  auto body = [](Gate& start, std::vector<std::string>* out) -> Async<std::size_t> {
    Gate never;
    std::size_t gone = 0;
    try {
      auto all = std::tuple(WaitWith(never, out, "before"), ThrowAfter(start));
      auto values = co_await std::move(all);
      static_cast<void>(values);
    } catch (const std::runtime_error&) {
      gone = out->size();
    }
    co_return gone;
  };
  Async<std::size_t> future = body(trigger, &log);
  EXPECT_TRUE(PollOnce(future).pending());
  trigger.Open(0);
  EXPECT_EQ(*PollOnce(future), 1u);
}

// What is thrown where an Async is consumed by value: its move constructor.
struct ThrowsWhenMoved {
  explicit ThrowsWhenMoved(bool armed_now) : armed(armed_now) {}
  ThrowsWhenMoved(ThrowsWhenMoved&& other) : armed(other.armed) {
    if (armed) throw std::runtime_error("moved");
  }
  bool armed;
};

TEST(AsyncExceptionsTest, AResultThatCannotBeMovedOutThrowsAtTheAwait) {
  auto make = []() -> Async<ThrowsWhenMoved> {
    ThrowsWhenMoved result(false);
    co_return std::move(result);
  };
  auto make_armed = []() -> Async<ThrowsWhenMoved> { co_return true; };
  auto body = [](Async<ThrowsWhenMoved> inner) -> Async<bool> {
    bool thrown = false;
    try {
      ThrowsWhenMoved value = co_await std::move(inner);
      thrown = value.armed;
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    co_return thrown;
  };
  Async<bool> harmless = body(make());
  EXPECT_FALSE(*PollOnce(harmless));
  Async<bool> throwing = body(make_armed());
  EXPECT_TRUE(*PollOnce(throwing));
}

}  // namespace
}  // namespace home
