#include "home/sync/once_cell.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

TEST(OnceCellTest, SetAndGet) {
  OnceCell<std::unique_ptr<int>> cell;
  EXPECT_EQ(cell.Get(), nullptr);
  EXPECT_TRUE(cell.Set(std::make_unique<int>(1)));
  auto refused = std::make_unique<int>(2);
  EXPECT_FALSE(cell.Set(std::move(refused)));
  EXPECT_NE(refused, nullptr);  // NOLINT: untouched, as promised
  EXPECT_EQ(**cell.Get(), 1);
  const OnceCell<int> made(7);
  EXPECT_EQ(*made.Get(), 7);
}

TEST(OnceCellTest, AValueThatHasAnAddressOperator) {
  OnceCell<testing::Unaddressable> cell;
  EXPECT_TRUE(cell.Set({.number = 7}));
  EXPECT_EQ(cell.Get()->number, 7);
  auto get = cell.GetOrTryInit([] { return absl::StatusOr<testing::Unaddressable>(); });
  EXPECT_EQ((*PollOnce(get).value())->number, 7);
}

TEST(OnceCellTest, OneMakesAndOthersWait) {
  OnceCell<int> cell;
  ManualState state;
  CountingWaker first;
  CountingWaker second;
  auto makes = cell.GetOrInit([&state] { return Manual<int>(&state, 5); });
  auto waits = cell.GetOrInit([] { return 6; });
  EXPECT_TRUE(PollOnce(makes, first).pending());
  EXPECT_TRUE(PollOnce(waits, second).pending());
  EXPECT_FALSE(cell.Set(7));
  EXPECT_FALSE(cell.IsSet());
  state.Set();
  EXPECT_EQ(first.wakes(), 1);
  int& made = *PollOnce(makes, first);
  EXPECT_EQ(made, 5);
  EXPECT_EQ(state.alive, 0);
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_EQ(&*PollOnce(waits, second), &made);
  auto late = cell.GetOrInit([] { return 8; });
  EXPECT_EQ(&*PollOnce(late), &made);
}

TEST(OnceCellTest, TheNextMakesWhatWasCancelled) {
  OnceCell<int> cell;
  ManualState state;
  CountingWaker counter;
  auto next = cell.GetOrInit([] { return 6; });
  {
    auto dropped = cell.GetOrInit([&state] { return Manual<int>(&state, 5); });
    EXPECT_TRUE(PollOnce(dropped).pending());
    EXPECT_TRUE(PollOnce(next, counter).pending());
    EXPECT_EQ(state.alive, 1);
  }
  EXPECT_EQ(state.alive, 0);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(*PollOnce(next, counter), 6);
}

TEST(OnceCellTest, AnErrorLeavesItEmpty) {
  OnceCell<std::string> cell;
  auto fails = cell.GetOrTryInit(
      []() -> absl::StatusOr<std::string> { return absl::UnavailableError("later"); });
  EXPECT_EQ(PollOnce(fails).value().status(), absl::UnavailableError("later"));
  EXPECT_FALSE(cell.IsSet());
  auto makes = cell.GetOrTryInit([]() -> absl::StatusOr<std::string> { return "x"; });
  EXPECT_EQ(**PollOnce(makes).value(), "x");
  auto late = cell.GetOrTryInit(
      []() -> absl::StatusOr<std::string> { return absl::UnavailableError("never"); });
  EXPECT_EQ(**PollOnce(late).value(), "x");
}

TEST(OnceCellTest, HostileWaker) {
  OnceCell<int> cell;
  ManualState state;
  auto makes = cell.GetOrInit([&state] { return Manual<int>(&state, 5); });
  EXPECT_TRUE(PollOnce(makes).pending());
  ExpectToStandAHostileWaker([&] { return cell.GetOrInit([] { return 6; }); },
                             [&] {
                               state.Set();
                               EXPECT_TRUE(PollOnce(makes).ready());
                             },
                             [&] {
                               static_cast<void>(cell.Set(7));
                               auto get = cell.GetOrInit([] { return 8; });
                               static_cast<void>(PollOnce(get).ready());
                             });
}

TEST(LazyCellTest, BringsItsFunction) {
  int calls = 0;
  auto make = [&calls] { return ++calls; };
  LazyCell<int, decltype(make)> cell(make);
  EXPECT_EQ(cell.Peek(), nullptr);
  for (int i = 0; i < 2; ++i) {
    auto get = cell.Get();
    EXPECT_EQ(*PollOnce(get), 1);
  }
  EXPECT_EQ(*cell.Peek(), 1);
  EXPECT_EQ(calls, 1);
}

TEST(LazyCellTest, HostileWaker) {
  ManualState state;
  auto make = [&state] { return Manual<int>(&state, 5); };
  LazyCell<int, decltype(make)> cell(make);
  auto makes = cell.Get();
  EXPECT_TRUE(PollOnce(makes).pending());
  ExpectToStandAHostileWaker([&] { return cell.Get(); },
                             [&] {
                               state.Set();
                               EXPECT_TRUE(PollOnce(makes).ready());
                             },
                             [&] {
                               auto get = cell.Get();
                               static_cast<void>(PollOnce(get).ready());
                             });
}

TEST(OnceTest, CallsOnce) {
  Once once;
  int calls = 0;
  ManualState state;
  {
    auto dropped = once.Call([&state] { return Manual<std::true_type>(&state, {}); });
    EXPECT_TRUE(PollOnce(dropped).pending());
  }
  EXPECT_FALSE(once.IsDone());
  for (int i = 0; i < 2; ++i) {
    auto call = once.Call([&calls] { ++calls; });
    EXPECT_TRUE(PollOnce(call).ready());
  }
  EXPECT_TRUE(once.IsDone());
  EXPECT_EQ(calls, 1);
}

TEST(OnceTest, HostileWaker) {
  Once once;
  ManualState state;
  auto does = once.Call([&state] { return Manual<std::true_type>(&state, {}); });
  EXPECT_TRUE(PollOnce(does).pending());
  ExpectToStandAHostileWaker([&] { return once.Call([] {}); },
                             [&] {
                               state.Set();
                               EXPECT_TRUE(PollOnce(does).ready());
                             },
                             [&] {
                               auto call = once.Call([] {});
                               static_cast<void>(PollOnce(call).ready());
                             });
}

}  // namespace
}  // namespace home
