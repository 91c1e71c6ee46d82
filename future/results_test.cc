// AndThen, OrElse, TryJoin: combinators that know success from failure.

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/join.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::PollOnce;
using IntOr = absl::StatusOr<int>;

absl::Status Broken() { return absl::DataLossError("broken"); }

TEST(AndThenTest, AwaitsWhatTheFunctionMakesOfASuccess) {
  auto future = AndThen(Countdown<IntOr>(2, 20), [](int x) {
    return Countdown<absl::StatusOr<std::string>>(2, std::to_string(x));
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_TRUE(PollOnce(future).pending());
  auto result = PollOnce(future);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).value(), "20");
}

TEST(AndThenTest, IsReadyWithAnErrorAndDoesNotCall) {
  bool called = false;
  auto future = AndThen(Ready(IntOr(Broken())), [&called](int x) {
    called = true;
    return Ready(IntOr(x));
  });
  auto result = PollOnce(future);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status(), Broken());
  EXPECT_FALSE(called);
}

TEST(AndThenTest, TakesAStatusAndYieldsAFallible) {
  auto from_status = AndThen(Ready(absl::OkStatus()), [] { return Ready(7); });
  static_assert(std::is_same_v<FutureOutput<decltype(from_status)>, IntOr>);
  EXPECT_EQ((*PollOnce(from_status)).value(), 7);
  auto to_void = AndThen(Ready(IntOr(1)), [](int) { return Ready(); });
  static_assert(std::is_same_v<FutureOutput<decltype(to_void)>, absl::Status>);
  EXPECT_TRUE((*PollOnce(to_void)).ok());
  auto failed = AndThen(Ready(Broken()), [] { return Ready(7); });
  EXPECT_EQ((*PollOnce(failed)).status(), Broken());
}

TEST(AndThenTest, MovesTheValue) {
  using Box = std::unique_ptr<int>;
  auto future = AndThen(Ready(absl::StatusOr<Box>(std::make_unique<int>(3))),
                        [](Box box) { return Ready(absl::StatusOr<Box>(std::move(box))); });
  auto result = PollOnce(future);
  EXPECT_EQ(**(*result), 3);
}

TEST(AndThenTest, KeepsTheFunctionAliveBesideItsFuture) {
  auto future = AndThen(Ready(IntOr(1)), [text = std::string("kept")](int x) -> Async<std::string> {
    co_await Countdown(2, 0);
    co_return text + std::to_string(x);
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ((*PollOnce(future)).value(), "kept1");
}

TEST(OrElseTest, IsReadyWithASuccessAndDoesNotCall) {
  bool called = false;
  auto future = OrElse(Countdown<IntOr>(2, 5), [&called](const absl::Status&) {
    called = true;
    return Ready(IntOr(0));
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ((*PollOnce(future)).value(), 5);
  EXPECT_FALSE(called);
}

TEST(OrElseTest, AwaitsWhatTheFunctionMakesOfAnError) {
  auto future = OrElse(Ready(IntOr(Broken())), [](absl::Status status) {
    return Countdown<IntOr>(2, status == Broken() ? 1 : 0);
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ((*PollOnce(future)).value(), 1);
  auto status =
      OrElse(Ready(Broken()), [](const absl::Status&) { return Ready(absl::OkStatus()); });
  EXPECT_TRUE((*PollOnce(status)).ok());
}

TEST(OrElseTest, DroppingItCancelsTheSecondFuture) {
  int cancelled = 0;
  {
    auto future = OrElse(Ready(IntOr(Broken())), [&cancelled](const absl::Status&) {
      return Countdown<IntOr>(2, 1, &cancelled);
    });
    EXPECT_TRUE(PollOnce(future).pending());
    EXPECT_EQ(cancelled, 0);
  }
  EXPECT_EQ(cancelled, 1);
}

TEST(TryJoinTest, YieldsAllSuccesses) {
  auto future = TryJoin(Countdown<IntOr>(3, 1), Ready(absl::OkStatus()),
                        Ready(absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(2))));
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_TRUE(PollOnce(future).pending());
  auto result = PollOnce(future);
  ASSERT_TRUE(result.ready());
  auto [a, b, c] = *std::move(result).value();
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, std::monostate());
  EXPECT_EQ(*c, 2);
}

TEST(TryJoinTest, TheFirstErrorCancelsTheRest) {
  int cancelled = 0;
  auto future = TryJoin(Countdown<IntOr>(5, 1, &cancelled), Countdown<IntOr>(2, Broken()),
                        Countdown<IntOr>(5, 1, &cancelled));
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(cancelled, 0);
  auto result = PollOnce(future);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status(), Broken());
  EXPECT_EQ(cancelled, 2);
}

TEST(TryJoinTest, AnErrorKeepsTheRestFromBeingPolled) {
  int polls = 0;
  auto future = TryJoin(Ready(Broken()), PollFn([&polls](Context&) -> Poll<absl::Status> {
                          ++polls;
                          return absl::OkStatus();
                        }));
  EXPECT_EQ((*PollOnce(future)).status(), Broken());
  EXPECT_EQ(polls, 0);
}

}  // namespace
}  // namespace home
