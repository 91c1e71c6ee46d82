// f | Map(g) | ...: the second form of every combinator.

#include "home/future/pipe.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::PollOnce;
using IntOr = absl::StatusOr<int>;

TEST(PipeTest, ReadsFromLeftToRight) {
  std::string log;
  auto future = Countdown(2, 20) | Map([](int x) { return x + 1; }) |
                Inspect([&log](int x) { log += std::to_string(x); }) |
                Then([](int x) { return Countdown(2, std::to_string(x)); });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(log, "");
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(log, "21");
  EXPECT_EQ(*PollOnce(future), "21");
}

TEST(PipeTest, IsTheSameTypeAsTheCall) {
  auto twice = [](int x) { return 2 * x; };
  static_assert(std::is_same_v<decltype(Ready(1) | Map(twice)), decltype(Map(Ready(1), twice))>);
}

TEST(PipeTest, StagesMakeALongerStage) {
  auto stage = Map([](int x) { return IntOr(x); }) | AndThen([](int x) { return Ready(x + 1); }) |
               OrElse([](const absl::Status&) { return Ready(IntOr(0)); });
  auto future = Ready(1) | std::move(stage);
  EXPECT_EQ((*PollOnce(future)).value(), 2);
}

TEST(PipeTest, CarriesMoveOnlyFunctionsAndValues) {
  auto future = Ready(std::make_unique<int>(1)) |
                Map([one = std::make_unique<int>(1)](std::unique_ptr<int> x) { return *x + *one; });
  EXPECT_EQ(*PollOnce(future), 2);
}

TEST(PipeTest, OthersJoinInWithOneFunction) {
  const auto doubled = [] {
    return Pipe([](auto future) { return Map(std::move(future), [](int x) { return 2 * x; }); });
  };
  auto future = Ready(3) | doubled() | Map([](int x) { return x + 1; });
  EXPECT_EQ(*PollOnce(future), 7);
}

Async<int> Awaits() {
  int x = co_await (Countdown(2, 1) | Map([](int y) { return y + 1; }));
  co_return x;
}
TEST(PipeTest, IsAwaited) {
  auto future = Awaits() | Map([](int x) { return x + 1; });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), 3);
}

TEST(InspectTest, SeesTheValueAndPassesItOn) {
  int seen = 0;
  auto future = Inspect(Ready(std::make_unique<int>(4)),
                        [&seen](const std::unique_ptr<int>& x) { seen = *x; });
  auto value = PollOnce(future);
  EXPECT_EQ(**value, 4);
  EXPECT_EQ(seen, 4);
  bool called = false;
  auto nothing = Inspect(Ready(), [&called] { called = true; });
  EXPECT_TRUE(PollOnce(nothing).ready());
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace home
