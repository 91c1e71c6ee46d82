// The package's headers, compiled with -fno-exceptions: they build, and
// coroutines, errors and cancellation work as ever.

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/async_testing.h"
#include "home/future/awaitable.h"
#include "home/future/join.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/stream.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/testing.h"

#if defined(__cpp_exceptions)
#error "this test is to be compiled with -fno-exceptions"
#endif

namespace home {
namespace {

using testing::Gate;
using testing::PollOnce;

Async<int> Wait(Gate& gate) {
  int value = co_await Gate::Wait(gate);
  co_return value;
}

TEST(AsyncWithoutExceptionsTest, ChainsRunAndAreCancelled) {
  Gate gate;
  auto body = [](Gate& entry) -> Async<int> {
    auto both = Join(Wait(entry), Map(Wait(entry), [](int value) { return 2 * value; }));
    auto values = co_await both;
    co_return std::get<0>(values) + std::get<1>(values);
  };
  {
    Async<int> dropped = body(gate);
    EXPECT_TRUE(PollOnce(dropped).pending());
  }
  EXPECT_FALSE(gate.has_waker());
  Async<int> future = body(gate);
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(4);
  EXPECT_EQ(*PollOnce(future), 12);
}

Async<absl::StatusOr<int>> Fail(Gate& gate) {
  co_await Gate::Wait(gate);
  co_return absl::DataLossError("inner");
}

TEST(AsyncWithoutExceptionsTest, ErrorsEndCoroutines) {
  Gate gate;
  auto body = [](Gate& entry) -> Async<absl::Status> {
    int value = co_await Try(Fail(entry));
    ADD_FAILURE() << "went on with " << value;
    co_return absl::OkStatus();
  };
  Async<absl::Status> future = body(gate);
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(0);
  EXPECT_EQ(*PollOnce(future), absl::DataLossError("inner"));
}

struct SuspendOnce {
  SuspendOnce() = default;
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<>) const { return false; }
  int await_resume() const { return 6; }
};

TEST(AsyncWithoutExceptionsTest, ForeignAwaitablesWork) {
  auto body = []() -> Async<int> {
    int value = co_await SuspendOnce();
    co_return value;
  };
  Async<int> future = body();
  EXPECT_EQ(*PollOnce(future), 6);
}

AsyncGenerator<int> Count(Gate& gate) {
  int first = co_await Gate::Wait(gate);
  co_yield first;
  co_yield 2;
}

TEST(AsyncWithoutExceptionsTest, StreamsWork) {
  Gate gate;
  auto future = Count(gate) | Map([](int n) { return 2 * n; }) | Collect();
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(1);
  EXPECT_EQ(*PollOnce(future), (std::vector<int>{2, 4}));
}

}  // namespace
}  // namespace home
