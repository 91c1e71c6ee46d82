#include "home/future/async.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
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

Async<int> Return(int value) { co_return value; }

TEST(AsyncTest, NothingRunsBeforeTheFirstPoll) {
  bool ran = false;
  auto body = [&ran]() -> Async<> {
    ran = true;
    co_return;
  };
  Async<> future = body();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(PollOnce(future).ready());
  EXPECT_TRUE(ran);
}

Async<int> AwaitGate(Gate& gate) {
  int value = co_await Gate::Wait(gate);
  co_return value + 1;
}

TEST(AsyncTest, SuspendsAtAPendingFutureAndResumesWithItsValue) {
  Gate gate;
  CountingWaker counter;
  Async<int> future = AwaitGate(gate);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  gate.Open(41);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(*PollOnce(future, counter), 42);
  EXPECT_EQ(counter.alive(), 0);
}

Async<int> Nest(Gate& gate, int depth, std::vector<std::string>* log) {
  Tracked tracked(log, "level " + std::to_string(depth));
  if (depth == 0) {
    int value = co_await Gate::Wait(gate);
    co_return value;
  }
  int value = co_await Nest(gate, depth - 1, log);
  co_return value + 1;
}

TEST(AsyncTest, APollOfADeepChainPollsTheLeafAlone) {
  Gate gate;
  std::vector<std::string> log;
  Async<int> future = Nest(gate, 100, &log);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(gate.polls(), 5);
  gate.Open(1);
  EXPECT_EQ(*PollOnce(future), 101);
  EXPECT_EQ(gate.polls(), 6);
  EXPECT_EQ(log.front(), "level 0");
  EXPECT_EQ(log.back(), "level 100");
}

TEST(AsyncTest, DroppingASuspendedChainDestroysInnermostFirst) {
  Gate gate;
  std::vector<std::string> log;
  {
    Async<int> future = Nest(gate, 2, &log);
    EXPECT_TRUE(PollOnce(future).pending());
  }
  EXPECT_EQ(log, (std::vector<std::string>{"level 0", "level 1", "level 2"}));
  EXPECT_FALSE(gate.has_waker());
}

TEST(AsyncTest, DroppingAnUnstartedCoroutineRunsNothing) {
  Gate gate;
  std::vector<std::string> log;
  {
    Async<int> future = Nest(gate, 2, &log);
  }
  EXPECT_TRUE(log.empty());
}

TEST(AsyncTest, MoveOnlyResultsPassThrough) {
  auto make = []() -> Async<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  auto pass = [](Async<std::unique_ptr<int>> inner) -> Async<std::unique_ptr<int>> {
    std::unique_ptr<int> value = co_await std::move(inner);
    ++*value;
    co_return value;
  };
  Async<std::unique_ptr<int>> future = pass(make());
  EXPECT_EQ(**PollOnce(future), 6);
}

TEST(AsyncTest, AVariableIsAwaitedInPlace) {
  auto body = []() -> Async<int> {
    Async<int> child = Return(3);
    int value = co_await child;
    auto ready = Ready(4);
    int more = co_await ready;
    co_return value + more;
  };
  Async<int> future = body();
  EXPECT_EQ(*PollOnce(future), 7);
}

TEST(AsyncTest, ACoroutinePolledByHandCanStillBeAwaitedInPlace) {
  Gate gate;
  Async<int> child = AwaitGate(gate);
  EXPECT_TRUE(PollOnce(child).pending());
  auto body = [](Async<int>& inner) -> Async<int> {
    int value = co_await inner;
    co_return value;
  };
  Async<int> future = body(child);
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(1);
  EXPECT_EQ(*PollOnce(future), 2);
}

Async<int> SumOfReady(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    int value = co_await Ready(1);
    sum += value;
  }
  co_return sum;
}

TEST(AsyncTest, TenMillionReadyAwaitsUseConstantStack) {
  Async<int> future = SumOfReady(10'000'000);
  EXPECT_EQ(*PollOnce(future), 10'000'000);
}

Async<int> SumOfChildren(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    int value = co_await Return(1);
    sum += value;
  }
  co_return sum;
}

TEST(AsyncTest, AMillionChildrenInTurnUseConstantStack) {
  Async<int> future = SumOfChildren(1'000'000);
  EXPECT_EQ(*PollOnce(future), 1'000'000);
}

Async<int> Descend(int depth) {
  if (depth == 0) co_return 0;
  int value = co_await Descend(depth - 1);
  co_return value + 1;
}

TEST(AsyncTest, AMillionDeepChainUsesConstantStack) {
  Async<int> future = Descend(1'000'000);
  EXPECT_EQ(*PollOnce(future), 1'000'000);
}

Async<int> DescendTo(Gate& gate, int depth) {
  if (depth == 0) {
    int value = co_await Gate::Wait(gate);
    co_return value;
  }
  int value = co_await DescendTo(gate, depth - 1);
  co_return value + 1;
}

TEST(AsyncTest, AMillionDeepSuspendedChainIsResumedAndDroppedInConstantStack) {
  Gate gate;
  {
    Async<int> future = DescendTo(gate, 1'000'000);
    EXPECT_TRUE(PollOnce(future).pending());
    gate.Open(0);
    EXPECT_EQ(*PollOnce(future), 1'000'000);
  }
  gate.Close();
  {
    Async<int> future = DescendTo(gate, 1'000'000);
    EXPECT_TRUE(PollOnce(future).pending());
  }
}

Async<int> Throw() {
  co_await Ready();
  throw std::runtime_error("from the body");
}

TEST(AsyncTest, AnExceptionIsRethrownWhereTheResultIsAwaited) {
  auto outer = []() -> Async<std::string> {
    std::string caught;
    try {
      int value = co_await Throw();
      caught = std::to_string(value);
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    co_return caught;
  };
  Async<std::string> future = outer();
  EXPECT_EQ(*PollOnce(future), "from the body");
  Async<int> thrower = Throw();
  EXPECT_THROW(static_cast<void>(PollOnce(thrower)), std::runtime_error);
}

class ThrowsInPoll {
 public:
  using Output = int;
  ThrowsInPoll() = default;
  home::Poll<int> Poll(Context&) { throw std::logic_error("from Poll"); }
};

TEST(AsyncTest, AnExceptionOfALeafsPollSurfacesAtTheAwait) {
  auto body = []() -> Async<bool> {
    bool caught = false;
    try {
      int value = co_await ThrowsInPoll();
      caught = value < 0;
    } catch (const std::logic_error&) {
      caught = true;
    }
    co_return caught;
  };
  Async<bool> future = body();
  EXPECT_TRUE(*PollOnce(future));
}

Async<absl::StatusOr<int>> Parse(bool fail, Gate* gate, std::vector<std::string>* log) {
  Tracked tracked(log, "parse");
  if (gate != nullptr) {
    int ignored = co_await Gate::Wait(*gate);
    static_cast<void>(ignored);
  }
  if (fail) co_return absl::InvalidArgumentError("parse: bad input");
  co_return 20;
}

Async<absl::StatusOr<std::string>> Show(bool fail, Gate* gate, std::vector<std::string>* log) {
  Tracked tracked(log, "show");
  int value = co_await Try(Parse(fail, gate, log));
  co_return std::to_string(value);
}

Async<absl::Status> Report(bool fail, Gate* gate, std::vector<std::string>* log) {
  Tracked tracked(log, "run");
  std::string shown = co_await Try(Show(fail, gate, log));
  log->push_back(shown);
  co_return absl::OkStatus();
}

TEST(AsyncTest, TryYieldsTheValue) {
  std::vector<std::string> log;
  Async<absl::Status> future = Report(false, nullptr, &log);
  EXPECT_TRUE((*PollOnce(future)).ok());
  EXPECT_EQ(log, (std::vector<std::string>{"parse", "show", "20", "run"}));
}

TEST(AsyncTest, TryEndsEveryCoroutineOnTheWayWithTheError) {
  for (bool suspends : {false, true}) {
    Gate gate;
    std::vector<std::string> log;
    Async<absl::Status> future = Report(true, suspends ? &gate : nullptr, &log);
    if (suspends) {
      EXPECT_TRUE(PollOnce(future).pending());
      gate.Open(1);
    }
    EXPECT_EQ(*PollOnce(future), absl::InvalidArgumentError("parse: bad input"));
    EXPECT_EQ(log, (std::vector<std::string>{"parse", "show", "run"}));
  }
}

Async<absl::Status> FailAt(int depth, Gate* gate) {
  if (depth == 0) {
    if (gate != nullptr) co_await Gate::Wait(*gate);
    co_return absl::DataLossError("at the bottom");
  }
  co_await Try(FailAt(depth - 1, gate));
  co_return absl::OkStatus();
}

TEST(AsyncTest, AnErrorEndsAMillionDeepChainInConstantStack) {
  for (bool suspends : {false, true}) {
    Gate gate;
    Async<absl::Status> future = FailAt(1'000'000, suspends ? &gate : nullptr);
    if (suspends) {
      EXPECT_TRUE(PollOnce(future).pending());
      gate.Open(0);
    }
    EXPECT_EQ(*PollOnce(future), absl::DataLossError("at the bottom"));
  }
}

// The chain that ended is owned by a coroutine that goes on.
TEST(AsyncTest, AnErrorOfADeepChainIsCaughtAboveIt) {
  auto body = []() -> Async<int> {
    absl::Status status = co_await FailAt(1'000'000, nullptr);
    absl::Status again = co_await FailAt(10, nullptr);
    co_return static_cast<int>(status.ok()) + static_cast<int>(again.ok());
  };
  Async<int> future = body();
  EXPECT_EQ(*PollOnce(future), 0);
}

TEST(AsyncTest, TryOfALeafEndsTheCoroutineReadyOrNot) {
  auto body = [](int pending_polls) -> Async<absl::Status> {
    int left = pending_polls;
    co_await Try(PollFn([&left](Context&) -> Poll<absl::Status> {
      if (left-- > 0) return kPending;
      return absl::DataLossError("leaf");
    }));
    ADD_FAILURE() << "went on after an error";
    co_return absl::OkStatus();
  };
  for (int polls : {0, 1}) {
    Async<absl::Status> future = body(polls);
    for (int i = 0; i < polls; ++i) EXPECT_TRUE(PollOnce(future).pending());
    EXPECT_EQ(*PollOnce(future), absl::DataLossError("leaf"));
  }
}

TEST(AsyncTest, JoinOfCoroutinesRunsThemTogether) {
  Gate left;
  Gate right;
  auto body = [](Gate& a, Gate& b) -> Async<int> {
    auto joined = Join(AwaitGate(a), AwaitGate(b));
    auto values = co_await joined;
    co_return std::get<0>(values) * std::get<1>(values);
  };
  Async<int> future = body(left, right);
  EXPECT_TRUE(PollOnce(future).pending());
  right.Open(6);
  EXPECT_TRUE(PollOnce(future).pending());
  left.Open(5);
  EXPECT_EQ(*PollOnce(future), 42);
}

TEST(AsyncTest, AChainMayBePolledOnDifferentThreadsInTurn) {
  Gate gate;
  std::vector<std::string> log;
  Async<int> future = Nest(gate, 10, &log);
  for (int i = 0; i < 10; ++i) {
    std::thread([&future] { EXPECT_TRUE(PollOnce(future).pending()); }).join();
  }
  gate.Open(0);
  std::thread([&future] { EXPECT_EQ(*PollOnce(future), 10); }).join();
}

using AsyncDeathTest = ::testing::Test;

TEST(AsyncDeathTest, PollingAnEmptyOrFinishedAsyncIsNamed) {
  EXPECT_DEATH(
      {
        Async<int> future = Return(1);
        static_cast<void>(PollOnce(future));
        static_cast<void>(PollOnce(future));
      },
      "empty or finished");
}

TEST(AsyncDeathTest, AwaitingAnEmptyAsyncIsNamed) {
  EXPECT_DEATH(
      {
        auto body = []() -> Async<int> {
          Async<int> empty;
          int value = co_await std::move(empty);
          co_return value;
        };
        Async<int> future = body();
        static_cast<void>(PollOnce(future));
      },
      "co_await of an empty Async");
}

TEST(AsyncDeathTest, ConsumingAPolledAsyncIsNamed) {
  EXPECT_DEATH(
      {
        Gate gate;
        Async<int> child = AwaitGate(gate);
        static_cast<void>(PollOnce(child));
        auto body = [](Async<int> inner) -> Async<int> {
          int value = co_await std::move(inner);
          co_return value;
        };
        Async<int> future = body(std::move(child));
        static_cast<void>(PollOnce(future));
      },
      "polled before");
}

static_assert(Future<Async<int>>);
static_assert(sizeof(Async<int>) == sizeof(void*));

}  // namespace
}  // namespace home
