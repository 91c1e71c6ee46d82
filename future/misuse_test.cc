// Misuse of futures: what debug builds say about it, and what every build does.

#include <array>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/stream_buffered.h"
#include "home/future/stream_chunks.h"
#include "home/future/stream_combine.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_take.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::PollAfterReady;
using testing::PollOnce;
using IntOr = absl::StatusOr<int>;

Async<int> AwaitMoved() {
  Async<int> child;
  int x = co_await std::move(child);
  co_return x;
}
Async<int> One() { co_return 1; }

TEST(MisuseDeathTest, AwaitOfAnEmptyAsync) {
  auto future = AwaitMoved();
  EXPECT_DEATH(static_cast<void>(PollOnce(future)), "co_await of an empty Async");
}

TEST(MisuseDeathTest, PollOfAFinishedAsync) {
  auto future = One();
  EXPECT_EQ(*PollOnce(future), 1);
  EXPECT_DEATH(static_cast<void>(PollOnce(future)), "Async that is empty or finished");
}

TEST(MisuseTest, AFutureMayMoveAfterItsEnd) {
  auto future = Map(Ready(1), [](int x) { return x; });
  EXPECT_EQ(*PollOnce(future), 1);
  auto moved = std::move(future);
  static_cast<void>(moved);
}

// An exception of a callback is the future's: it goes to whoever polls, and into
// the coroutine that awaits.
TEST(MisuseTest, ACallbackThatThrows) {
  const auto throwing = [](int) -> int { throw std::runtime_error("thrown"); };
  auto map = Map(Ready(1), throwing);
  EXPECT_THROW(static_cast<void>(PollOnce(map)), std::runtime_error);
  auto inspect = Inspect(Ready(1), throwing);
  EXPECT_THROW(static_cast<void>(PollOnce(inspect)), std::runtime_error);
  const auto throws_early = [](int) -> ReadyFuture<IntOr> { throw std::runtime_error("thrown"); };
  auto and_then = AndThen(Ready(IntOr(1)), throws_early);
  EXPECT_THROW(static_cast<void>(PollOnce(and_then)), std::runtime_error);
  auto then = Then(Ready(1), throws_early);
  EXPECT_THROW(static_cast<void>(PollOnce(then)), std::runtime_error);
  auto lazy = Lazy([]() -> ReadyFuture<int> { throw std::runtime_error("thrown"); });
  EXPECT_THROW(static_cast<void>(PollOnce(lazy)), std::runtime_error);
  const auto awaits = [](auto callback) -> Async<bool> {
    auto future = Map(Ready(1), callback);
    bool caught = false;
    try {
      co_await future;
    } catch (const std::runtime_error&) {
      caught = true;
    }
    co_return caught;
  };
  auto future = awaits(throwing);
  EXPECT_TRUE(*PollOnce(future));
}

#if !defined(NDEBUG)

// Polls `future`, which waits, and moves it.
template <Future F>
void MoveAfterPoll(F future) {
  EXPECT_TRUE(PollOnce(future).pending());
  F moved = std::move(future);
  static_cast<void>(moved);
}

TEST(MisuseDeathTest, PollAfterReadyNamesTheFuture) {
  const auto id = [](int x) { return x; };
  const auto next = [](int x) { return Ready(IntOr(x)); };
  EXPECT_DEATH(PollAfterReady(Ready(1)), "\\(Ready\\) was polled after it was ready");
  EXPECT_DEATH(PollAfterReady(Ready()), "\\(Ready\\) was polled after");
  EXPECT_DEATH(PollAfterReady(PollFn([](Context&) -> Poll<int> { return 1; })), "\\(PollFn\\) was");
  EXPECT_DEATH(PollAfterReady(Lazy([] { return Ready(1); })), "\\(Lazy\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Map(Countdown(2, 1), id)), "\\(Map\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Inspect(Countdown(2, 1), id)), "\\(Inspect\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Then(Countdown(2, 1), next)), "\\(Then\\) was polled after");
  EXPECT_DEATH(PollAfterReady(AndThen(Ready(IntOr(1)), next)), "\\(AndThen\\) was polled after");
  EXPECT_DEATH(
      PollAfterReady(OrElse(Ready(IntOr(1)), [](const absl::Status&) { return Ready(IntOr(1)); })),
      "\\(OrElse\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Join(Ready(1))), "\\(Join\\) was polled after");
  EXPECT_DEATH(PollAfterReady(TryJoin(Ready(IntOr(1)))), "\\(TryJoin\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Select(Ready(1))), "\\(Select\\) was polled after");
  EXPECT_DEATH(PollAfterReady(Race(Ready(1), Ready(2))), "\\(Race\\) was polled after");
  EXPECT_DEATH(PollAfterReady(JoinAll(std::array{Ready(1)})), "\\(JoinAll\\) was polled after");
  EXPECT_DEATH(PollAfterReady(TryJoinAll(std::array{Ready(IntOr(1))})),
               "\\(TryJoinAll\\) was polled after");
  EXPECT_DEATH(PollAfterReady(SelectAll(std::array{Ready(1)})), "\\(SelectAll\\) was polled after");
}

TEST(MisuseDeathTest, PollAfterReadyNamesTheEndOfAPipeline) {
  const auto numbers = [] { return FromRange(std::vector<int>{1, 2}); };
  EXPECT_DEATH(PollAfterReady(numbers() | Fold(0, std::plus<>())), "\\(Fold\\) was polled after");
  EXPECT_DEATH(PollAfterReady(numbers() | ForEach([](int) {})), "\\(ForEach\\) was polled after");
  EXPECT_DEATH(PollAfterReady(numbers() | Collect()), "\\(Collect\\) was polled after");
  EXPECT_DEATH(PollAfterReady(numbers() | ForEachConcurrent(2, [](int) { return Ready(); })),
               "\\(ForEachConcurrent\\) was polled after");
}

// Polls `stream` to its end, and once more.
template <Stream S>
void PollAfterEnd(S stream) {
  while (testing::PollNextOnce(stream).value().has_value()) continue;
  static_cast<void>(testing::PollNextOnce(stream));
}
// Takes an item of `stream`, and moves it.
template <Stream S>
void MoveAfterItem(S stream) {
  EXPECT_TRUE(testing::PollNextOnce(stream).value().has_value());
  S moved = std::move(stream);
  static_cast<void>(moved);
}

TEST(MisuseDeathTest, PollAfterTheEndNamesTheStream) {
  const auto id = [](int x) { return x; };
  const auto yes = [](int) { return true; };
  const auto none = [] { return FromRange(std::vector<int>{}); };
  EXPECT_DEATH(PollAfterEnd(none() | Map(id)), "a stream \\(Map\\) was polled after its end");
  EXPECT_DEATH(PollAfterEnd(none() | Then([](int x) { return Ready(x); })),
               "\\(Then\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | Inspect(yes)), "\\(Inspect\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | Filter(yes)), "\\(Filter\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | Skip(1)), "\\(Skip\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | SkipWhile(yes)), "\\(SkipWhile\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | Chain(none())), "\\(Chain\\) was polled");
  EXPECT_DEATH(PollAfterEnd(none() | Zip(none())), "\\(Zip\\) was polled");
}

TEST(MisuseTest, SomeStreamsMayBePolledAfterTheirEnd) {
  const auto two = [] { return FromRange(std::vector<int>{1, 2}); };
  PollAfterEnd(two());
  PollAfterEnd(two() | Take(1));
  PollAfterEnd(two() | TakeWhile([](int x) { return x < 2; }));
  PollAfterEnd(two() | Merge(two()));
  PollAfterEnd(two() | Chunks(2));
  PollAfterEnd(two() | Map([](int x) { return Ready(x); }) | Buffered(2));
}

TEST(MisuseDeathTest, MoveAfterTheFirstPollNamesTheStream) {
  const auto id = [](int x) { return x; };
  const auto yes = [](int) { return true; };
  const auto two = [] { return FromRange(std::vector<int>{1, 2}); };
  const auto ready = [](int x) { return Ready(x); };
  EXPECT_DEATH(MoveAfterItem(two()), "a stream \\(FromRange\\) was moved after its first poll");
  EXPECT_DEATH(MoveAfterItem(two() | Map(id)), "\\(Map\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Then(ready)), "\\(Then\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Inspect(yes)), "\\(Inspect\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Filter(yes)), "\\(Filter\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Take(2)), "\\(Take\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | TakeWhile(yes)), "\\(TakeWhile\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Skip(1)), "\\(Skip\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Chain(two())), "\\(Chain\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Zip(two())), "\\(Zip\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Merge(two())), "\\(Merge\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Chunks(1)), "\\(Chunks\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Map(ready) | Buffered(1)), "\\(Buffered\\) was moved");
  EXPECT_DEATH(MoveAfterItem(two() | Map(ready) | BufferedUnordered(1)),
               "\\(BufferedUnordered\\) was moved");
}

TEST(MisuseDeathTest, MoveAfterTheFirstPollNamesTheFuture) {
  const auto id = [](int x) { return x; };
  EXPECT_DEATH(MoveAfterPoll(Map(PendingForever<int>(), id)),
               "\\(Map\\) was moved after its first");
  EXPECT_DEATH(MoveAfterPoll(Join(PendingForever<int>())), "\\(Join\\) was moved after");
  EXPECT_DEATH(MoveAfterPoll(Select(PendingForever<int>())), "\\(Select\\) was moved after");
  EXPECT_DEATH(MoveAfterPoll(Race(PendingForever<int>())), "\\(Race\\) was moved after");
  EXPECT_DEATH(MoveAfterPoll(Lazy([] { return PendingForever<int>(); })), "\\(Lazy\\) was moved");
  EXPECT_DEATH(MoveAfterPoll(Then(PendingForever<int>(), [](int) { return Ready(1); })),
               "\\(Then\\) was moved after");
}

TEST(MisuseDeathTest, PollAfterACallbackThrew) {
  auto future = Map(Ready(1), [](int) -> int { throw std::runtime_error("thrown"); });
  EXPECT_THROW(static_cast<void>(PollOnce(future)), std::runtime_error);
  EXPECT_DEATH(static_cast<void>(PollOnce(future)), "\\(Map\\) was polled after .* its poll threw");
}

#endif

}  // namespace
}  // namespace home
