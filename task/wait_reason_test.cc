// What a task says that it waits for.

#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/join.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/task/join_handle.h"
#include "home/task/task_header.h"
#include "home/task/testing.h"

namespace home {
namespace {

using ::testing::HasSubstr;
using ::testing::IsNull;
using testing::ManualScheduler;
using ::testing::StrEq;

// Waits for each of its reasons in turn; a null one is not said.
class Waits {
 public:
  using Output = void;
  explicit Waits(std::vector<const char*> reasons) : reasons_(std::move(reasons)) {}

  home::Poll<void> Poll(Context& cx) {
    if (next_ == reasons_.size()) return kReady;
    cx.waker().WakeByRef();
    const char* reason = reasons_[next_++];
    if (reason == nullptr) return kPending;
    return cx.PendingFor(reason);
  }

 private:
  std::vector<const char*> reasons_;
  std::size_t next_ = 0;
};

// Stops at each await until it is run again.
class WaitReasonTest : public ::testing::Test {
 protected:
  ~WaitReasonTest() override { scheduler_.Shutdown(); }

  ManualScheduler scheduler_;
};

TEST_F(WaitReasonTest, IsNoneBeforeTheFirstPoll) {
  JoinHandle<void> task = scheduler_.Spawn(Waits({"tea"}));
  EXPECT_THAT(task.wait_reason(), IsNull());
}

TEST_F(WaitReasonTest, FollowsTheTask) {
  auto body = []() -> Async<> {
    Waits first({"tea", "milk"});
    co_await first;
    Waits second({"sugar"});
    co_await second;
  };
  JoinHandle<void> task = scheduler_.Spawn(body());
  const AbortHandle other = task.abort_handle();
  for (const char* reason : {"tea", "milk", "sugar"}) {
    ASSERT_TRUE(scheduler_.RunOne());
    EXPECT_THAT(task.wait_reason(), StrEq(reason));
    EXPECT_THAT(other.wait_reason(), StrEq(reason));
  }
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_TRUE(task.finished());
  EXPECT_THAT(task.wait_reason(), IsNull());
}

TEST_F(WaitReasonTest, ComesFromTheLeafOfAChain) {
  struct Chain {
    static Async<> Of(int depth) {
      if (depth > 0) {
        co_await Of(depth - 1);
      } else {
        Waits leaf({"tea"});
        co_await leaf;
      }
    }
  };
  JoinHandle<void> task = scheduler_.Spawn(Chain::Of(100));
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_THAT(task.wait_reason(), StrEq("tea"));
}

TEST_F(WaitReasonTest, IsTheTypeOfALeafThatSaysNothing) {
  auto body = []() -> Async<> {
    Waits leaf({nullptr});
    co_await leaf;
  };
  JoinHandle<void> coroutine = scheduler_.Spawn(body());
  JoinHandle<void> future = scheduler_.Spawn(Waits({nullptr}));
  ASSERT_TRUE(scheduler_.RunOne());
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_THAT(coroutine.wait_reason(), HasSubstr("Waits"));
  EXPECT_THAT(future.wait_reason(), HasSubstr("Waits"));
}

// A reason that is left from an earlier poll would lead astray.
TEST_F(WaitReasonTest, IsForgottenWithThePollThatGaveIt) {
  JoinHandle<void> task = scheduler_.Spawn(Waits({"tea", nullptr}));
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_THAT(task.wait_reason(), StrEq("tea"));
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_THAT(task.wait_reason(), HasSubstr("Waits"));
}

TEST_F(WaitReasonTest, OfSeveralTheLastCounts) {
  JoinHandle<std::tuple<>> none = scheduler_.Spawn(Join());
  auto body = []() -> Async<> {
    // Named, for g++ 12, which can't have a list that is initialised in an operand of co_await.
    Waits tea({"tea"});
    Waits milk({"milk"});
    co_await Join(std::move(tea), std::move(milk));
  };
  JoinHandle<void> task = scheduler_.Spawn(body());
  ASSERT_TRUE(scheduler_.RunOne());
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_TRUE(none.finished());
  EXPECT_THAT(task.wait_reason(), StrEq("milk"));
}

TEST_F(WaitReasonTest, OfAJoinIsTheEndOfATask) {
  JoinHandle<void> inner = scheduler_.Spawn(Waits({"tea", "tea"}));
  auto body = [](JoinHandle<void> joined) -> Async<> { static_cast<void>(co_await joined); };
  JoinHandle<void> outer = scheduler_.Spawn(body(std::move(inner)));
  ASSERT_TRUE(scheduler_.RunOne());
  ASSERT_TRUE(scheduler_.RunOne());
  EXPECT_THAT(outer.wait_reason(), StrEq("the end of a task"));
}

}  // namespace
}  // namespace home
