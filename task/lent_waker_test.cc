// Wakers that are cloned during a poll: the first is counted when the poll ends, however it ends.

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/task/join_handle.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::ManualScheduler;
using Wakers = std::vector<Waker>;

// One whose polls are `poll(cx)`.
class Polled {
 public:
  using Output = void;

  explicit Polled(std::function<home::Poll<void>(Context&)> poll) : poll_(std::move(poll)) {}
  home::Poll<void> Poll(Context& cx) { return poll_(cx); }

 private:
  std::function<home::Poll<void>(Context&)> poll_;
};

class LentWakerTest : public ::testing::Test {
 protected:
  ~LentWakerTest() override {
    wakers_.clear();
    scheduler_.Shutdown();
  }

  // Spawns a task and runs it once. Its handle stays.
  RunResult RunOnce(std::function<Poll<void>(Context&)> poll) {
    handle_.emplace(scheduler_.Spawn(Polled(std::move(poll))));
    task_ = scheduler_.Take();
    Turn turn{.budget = std::numeric_limits<std::uint32_t>::max()};
    return RunTask(task_, &turn, scheduler_);
  }
  std::uint64_t references() const { return task_->state.Load().references(); }

  ManualScheduler scheduler_;
  std::optional<JoinHandle<void>> handle_;
  TaskHeader* task_ = nullptr;
  Wakers wakers_;
};

TEST_F(LentWakerTest, OfAPollThatWaits) {
  EXPECT_EQ(RunOnce([this](Context& cx) -> Poll<void> {
              for (int i = 0; i < 3; ++i) wakers_.push_back(cx.waker().Clone());
              return kPending;
            }),
            RunResult::kIdle);
  EXPECT_EQ(references(), 5u) << "the runtime's, the handle's, three wakers";
}

TEST_F(LentWakerTest, OfAPollThatGivesWay) {
  EXPECT_EQ(RunOnce([this](Context& cx) -> Poll<void> {
              wakers_.push_back(cx.waker().Clone());
              cx.PollAgain();
              return kPending;
            }),
            RunResult::kRescheduled);
  EXPECT_EQ(references(), 3u);
  scheduler_.Schedule(task_);
}

TEST_F(LentWakerTest, OfAPollThatIsReady) {
  EXPECT_EQ(RunOnce([this](Context& cx) -> Poll<void> {
              wakers_.push_back(cx.waker().Clone());
              return kReady;
            }),
            RunResult::kComplete);
  EXPECT_EQ(references(), 2u) << "the handle's, and the waker";
  std::move(wakers_.back()).Wake();
  EXPECT_EQ(references(), 1u);
}

TEST_F(LentWakerTest, ThatWakesDuringThePoll) {
  EXPECT_EQ(RunOnce([](Context& cx) -> Poll<void> {
              cx.waker().Clone().Wake();
              return kPending;
            }),
            RunResult::kRescheduled);
  EXPECT_EQ(references(), 2u);
  EXPECT_TRUE(task_->state.Load().notified());
  scheduler_.Schedule(task_);
}

TEST_F(LentWakerTest, ThatIsDroppedDuringThePollOfATaskThatNobodyElseKnows) {
  EXPECT_EQ(RunOnce([this](Context& cx) -> Poll<void> {
              std::move(*handle_).Detach();
              handle_.reset();
              const Waker dropped = cx.waker().Clone();
              return kPending;
            }),
            RunResult::kIdle);
  EXPECT_EQ(references(), 1u);
}

TEST_F(LentWakerTest, ThatIsClonedByAPollWithinAPoll) {
  TaskHeader* inner = nullptr;
  EXPECT_EQ(RunOnce([this, &inner](Context& cx) -> Poll<void> {
              JoinHandle<void> other =
                  scheduler_.Spawn(Polled([this](Context& within) -> Poll<void> {
                    wakers_.push_back(within.waker().Clone());
                    return kPending;
                  }));
              inner = scheduler_.Take();
              Turn turn{.budget = std::numeric_limits<std::uint32_t>::max()};
              EXPECT_EQ(RunTask(inner, &turn, scheduler_), RunResult::kIdle);
              std::move(other).Detach();
              wakers_.push_back(cx.waker().Clone());
              return kPending;
            }),
            RunResult::kIdle);
  EXPECT_EQ(references(), 3u);
  EXPECT_EQ(inner->state.Load().references(), 2u);
}

}  // namespace
}  // namespace home
