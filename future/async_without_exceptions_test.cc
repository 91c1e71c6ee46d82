// The headers of coroutines and streams, compiled with -fno-exceptions: they build, and
// coroutines, errors and cancellation work as ever. no_exceptions_test.cc has the others.

#include <coroutine>
#include <optional>
#include <ranges>
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
#include "home/future/stream_buffered.h"
#include "home/future/stream_chunks.h"
#include "home/future/stream_combine.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_take.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

#if defined(__cpp_exceptions)
#error "this test is to be compiled with -fno-exceptions"
#endif

namespace home {
namespace {

using testing::Countdown;
using testing::CountingWaker;
using testing::Gate;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Source;

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

// The numbers from `first` up to, not with, `end`.
auto Numbers(int first, int end) { return FromRange(std::views::iota(first, end)); }
// What `stream` gives, which waits for nothing but itself.
template <Stream S>
std::vector<StreamItem<S>> CollectNow(S stream) {
  auto future = Collect(std::move(stream));
  while (true) {
    auto polled = PollOnce(future);
    if (polled.ready()) return *std::move(polled);
  }
}
using Ints = std::vector<int>;

TEST(AsyncWithoutExceptionsTest, StreamsAreCutAndChunked) {
  auto less_than = [](int limit) { return [limit](int n) { return n < limit; }; };
  EXPECT_EQ(CollectNow(Numbers(0, 9) | Skip(1) | Take(3)), (Ints{1, 2, 3}));
  EXPECT_EQ(CollectNow(Numbers(0, 9) | SkipWhile(less_than(3)) | TakeWhile(less_than(5))),
            (Ints{3, 4}));
  EXPECT_EQ(CollectNow(Numbers(0, 3) | Chunks(2)), (std::vector<Ints>{{0, 1}, {2}}));
  EXPECT_EQ(CollectNow(Numbers(0, 4) | Filter([](int n) { return n % 2 != 0; })), (Ints{1, 3}));
}

TEST(AsyncWithoutExceptionsTest, StreamsAreCombined) {
  EXPECT_EQ(CollectNow(Numbers(0, 2) | Chain(Numbers(5, 7))), (Ints{0, 1, 5, 6}));
  EXPECT_EQ(CollectNow(Numbers(0, 2) | Zip(Numbers(5, 7))),
            (std::vector<std::tuple<int, int>>{{0, 5}, {1, 6}}));
  EXPECT_EQ(CollectNow(Merge(Numbers(0, 2), Numbers(5, 7))).size(), 4u);
  int polls = 0;
  auto source = PollNextFn([&polls](Context& cx) -> Poll<std::optional<int>> {
    if (++polls == 1) {
      cx.waker().WakeByRef();
      return kPending;
    }
    return polls == 2 ? std::optional<int>(8) : std::nullopt;
  });
  EXPECT_EQ(CollectNow(std::move(source)), Ints{8});
}

TEST(AsyncWithoutExceptionsTest, StreamsOfFuturesRunAtOnce) {
  auto delayed = [](int n) { return Countdown(4 - n, n); };
  EXPECT_EQ(CollectNow(Numbers(1, 4) | Map(delayed) | Buffered(3)), (Ints{1, 2, 3}));
  EXPECT_EQ(CollectNow(Numbers(1, 4) | Map(delayed) | BufferedUnordered(3)), (Ints{3, 2, 1}));
  int sum = 0;
  auto add = [&sum](int n) { return Map(Ready(n), [&sum](int ready) { sum += ready; }); };
  auto all = Numbers(1, 4) | ForEachConcurrent(2, add);
  EXPECT_TRUE(PollOnce(all).ready());
  auto folded = Numbers(1, 4) | Fold(0, [](int so_far, int n) { return so_far + n; });
  EXPECT_EQ(*PollOnce(folded), sum);
}

TEST(AsyncWithoutExceptionsTest, AStreamIsDroppedWithWhatItWaitsFor) {
  Source source;
  CountingWaker counter;
  {
    auto items = source.Stream() | Take(2);
    source.Give(1);
    EXPECT_EQ(**PollNextOnce(items, counter), 1);
    EXPECT_TRUE(PollNextOnce(items, counter).pending());
    EXPECT_TRUE(source.has_waker());
  }
  EXPECT_FALSE(source.has_waker());
}

}  // namespace
}  // namespace home
